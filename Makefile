.PHONY: help run demo test test-all lint bench ci

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

run: ## serve on http://127.0.0.1:8000/
	go run .

demo: ## fill an empty database with a believable clinic
	go run . demo

test: ## run the tests on SQLite and on PostgreSQL, but for the slow ones
	go test ./...

test-all: ## run all tests on SQLite and on PostgreSQL
	go test -tags slow ./...

lint: ## check the format and the code
	@test -z "$$(gofmt -l .)" || { gofmt -d .; exit 1; }
	PATH="$$PATH:$$(go env GOPATH)/bin" golangci-lint run ./...

bench: ## measure: see docs/performance.md
	go run -tags programs ./bench
	go test -run '^$$' -bench . -benchmem ./tests

ci: ## everything that a change must pass
	bash .ci/run
