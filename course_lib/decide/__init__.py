"""From a comparison to a decision: the rule, its sentences, how long it takes, what it costs, and the report page."""
