"""Plans as the input of other tools: pure text, made of the bodies that `create` sends."""
