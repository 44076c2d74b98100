module github.com/authlatch/auth/store/sqlstore

go 1.25.0
