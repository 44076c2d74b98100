module github.com/authlatch/auth

go 1.26.0
