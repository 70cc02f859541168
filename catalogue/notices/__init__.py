"""公示与异议: the public period in working days, and what people raise against it."""
