"""The demo page: the answers of a view for each frontend, and the calls behind them."""
