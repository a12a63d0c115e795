# Thin names for scripts/dev.py, which needs no make.
.PHONY: demo test check golden bench lock ci

demo test check bench lock:
	python3 scripts/dev.py $@

golden:  # rewrite tests/golden; read the diff before you commit it
	CCGPU_SLOW=1 python3 scripts/dev.py test --update-golden

ci:
	bash .ci/run
