"""What the chart's hooks do, in a cluster in memory; none of these waits for long."""
