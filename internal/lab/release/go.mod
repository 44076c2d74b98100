module github.com/authlatch/auth/internal/lab/release

go 1.26.0

require github.com/authlatch/auth v0.0.0

replace github.com/authlatch/auth => ../../..
