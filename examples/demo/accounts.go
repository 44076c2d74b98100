package main

import (
	"context"
	"errors"

	"github.com/authlatch/auth/password"
)

// isPassword reports whether a password is the one of an account. An account
// that does not exist takes as long as one that does.
func (d *demo) isPassword(ctx context.Context, user, given string) (bool, error) {
	var err error
	if hash, ok := d.accounts[user]; ok {
		err = d.passwords.Verify(ctx, hash, given)
	} else {
		err = d.passwords.VerifyNobody(ctx, given)
	}
	if errors.Is(err, password.ErrWrong) {
		return false, nil
	}
	return err == nil, err
}
