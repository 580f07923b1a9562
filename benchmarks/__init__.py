"""What things cost, measured side by side in one run: ratios hold on a busy machine, seconds don't."""
