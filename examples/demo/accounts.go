package main

import "context"

// checkPassword returns password.ErrWrong for what is not the password of an
// account. An account that does not exist takes as long as one that does.
func (d *demo) checkPassword(ctx context.Context, user, given string) error {
	if hash, ok := d.accounts[user]; ok {
		return d.passwords.Verify(ctx, hash, given)
	}
	return d.passwords.VerifyNobody(ctx, given)
}
