"""A benchmark of truth: networks with planted artifacts, of which an audit is not told anything."""
