"""The benchmarks run, and draw the conclusions that their measurements allow."""
