package main

import "context"

// checkPassword returns password.ErrWrong if the password is not that of the account. It
// takes as long for an account that does not exist.
func (d *demo) checkPassword(ctx context.Context, user, given string) error {
	if hash, ok := d.accounts[user]; ok {
		return d.passwords.Verify(ctx, hash, given)
	}
	return d.passwords.VerifyNobody(ctx, given)
}
