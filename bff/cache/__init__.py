"""What is kept of replies and answers: pure decisions, keys, and the stores behind them."""
