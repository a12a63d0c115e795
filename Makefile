# Thin names for scripts/dev.py, which needs no make.
.PHONY: demo test test-changed check golden package release bench fuzz lock pythons sweep sweep-pairs sweep-case reliability knockouts mutants ci

demo test test-changed check package release bench lock pythons:
	python3 scripts/dev.py $@

fuzz:  # N= inputs for each parser of the verifier, or for PARSER=
	python3 scripts/dev.py fuzz $(or $(N),1000000) $(PARSER)

golden:  # rewrite tests/golden; read the diff before you commit it
	CCGPU_SLOW=1 python3 scripts/dev.py test --update-golden

sweep:  # every fault at every request; SIGKILL at every step; the same for a plain script
	python3 scripts/dev.py sweep

sweep-pairs:  # N= and SEED=: two faults in one run
	python3 scripts/dev.py sweep --pairs $(or $(N),2000) --seed $(or $(SEED),1)

sweep-case:  # ID=: one of them again
	python3 scripts/dev.py sweep --case $(ID)

reliability:  # the same, and docs/reliability.md from its figures
	python3 scripts/dev.py sweep --page docs/reliability.md

knockouts:  # each safeguard taken out: the sweep must fail without it
	.venv/bin/python tests/faults/sweep/knockouts.py

mutants:  # slips in the verifiers that no unit test notices: docs/mutants.md; goes on where it ended
	python3 scripts/dev.py mutants

ci:
	bash .ci/run
