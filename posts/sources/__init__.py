"""Where posts come from: one module a kind of source; `registry.py` names them."""
