module github.com/authlatch/auth/internal/lab/release

go 1.26.0
