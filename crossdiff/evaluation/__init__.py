"""How good generated motion is: metrics, text-motion evaluators, the protocol of the field, reports."""
