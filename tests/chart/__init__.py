"""The chart, rendered by Helm itself; ``make chart`` runs these."""
