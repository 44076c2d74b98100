module github.com/authlatch/auth/internal/lab/mutate

go 1.26.0
