"""The demo page: a view's answers side by side, and the calls behind them."""
