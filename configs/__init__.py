"""Shipped configurations, one YAML file each; read them with `crossdiff.config.load_config`."""
