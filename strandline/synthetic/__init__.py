"""Made-up families for demonstrations and tests: every base and every variant is ours, so the truth is known."""
