package password

import "context"

// maxBytes is the maximum length of a password. No character of it is ignored.
const maxBytes = 1024

// Verify returns nil if password matches hash, and [ErrWrong] if it does not. Any
// other error, from ctx while it waits for its turn or from a hash that cannot be
// read, means that the password could not be verified.
//
// Verify accepts argon2id and scrypt hashes as PHC strings, and bcrypt hashes ($2a$,
// $2b$, $2y$). It refuses, before any work, hashes that need more than 128 MiB, 64
// iterations or a parallelism over 16, more than 1 GiB in all iterations together, or a
// bcrypt cost above 15. Hashes with the parameters of this Config are always accepted.
//
// A bcrypt hash ignores everything after 72 bytes, so a longer password is wrong. So
// is one with a NUL under bcrypt and scrypt, and one that is not UTF-8 under scrypt
// (ASVS 5.0, 6.2.8).
//
// An empty hash means a user without a password: see [Hasher.VerifyNobody]. A
// password that is empty or longer than 1024 bytes is wrong, after the same work as
// any other (6.3.8).
func (h *Hasher) Verify(ctx context.Context, hash, password string) error {
	if hash == "" {
		return h.VerifyNobody(ctx, password)
	}
	s, err := h.limits.parse(hash)
	if err != nil {
		return err
	}
	return h.verify(ctx, s, password)
}

// VerifyNobody does the same work as Verify for a hash of this Config, and returns
// [ErrWrong]. Call it for a user that does not exist, so that the response time does
// not reveal this (ASVS 5.0, 6.3.8).
//
// Users whose hashes are of another kind can be distinguished by time until
// [Hasher.NeedsRehash] has led to new ones. While these users are the majority, call
// Verify with a hash of their kind, made of random bytes, for a user that does not
// exist; users with new hashes can be distinguished then.
func (h *Hasher) VerifyNobody(ctx context.Context, password string) error {
	if err := h.verify(ctx, h.missing, password); err != nil {
		return err
	}
	return ErrWrong
}

// verify always hashes, and only then returns what it knew before.
func (h *Hasher) verify(ctx context.Context, s stored, password string) error {
	leave, err := h.gate.enter(ctx, s.memory())
	if err != nil {
		return err
	}
	defer leave()
	valid := password != "" && len(password) <= maxBytes && s.distinguishes(password)
	same := s.same(h.kdf, []byte(password[:min(len(password), maxBytes)]))
	if !valid || !same {
		return ErrWrong
	}
	return nil
}

// Hash returns the argon2id hash of password with a new salt, as a PHC string of less
// than 128 bytes. It does not check the strength of the password, so that a password
// of an earlier policy can be rehashed: call [Hasher.Check] first for a new one. The
// error is [ErrTooShort] for an empty password, [ErrTooLong] beyond 1024 bytes, or
// that of ctx while it waits for its turn.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	switch {
	case password == "":
		return "", ErrTooShort
	case len(password) > maxBytes:
		return "", ErrTooLong
	}
	leave, err := h.gate.enter(ctx, h.argon.mem)
	if err != nil {
		return "", err
	}
	defer leave()
	s := h.argon
	s.salt = random(saltSize)
	s.tag = s.key(h.kdf, []byte(password), tagSize)
	return s.String(), nil
}

// NeedsRehash reports whether hash differs in kind or parameters from what
// [Hasher.Hash] creates now, or cannot be read. Call it after a successful Verify,
// when the password is available, and store a new hash (ASVS 5.0, 11.2.2).
func (h *Hasher) NeedsRehash(hash string) bool {
	s, err := h.limits.parse(hash)
	a, ok := s.(argon2id)
	return err != nil || !ok || a.mem != h.argon.mem || a.iterations != h.argon.iterations ||
		a.parallelism != h.argon.parallelism || len(a.salt) < saltSize || len(a.tag) != tagSize
}

// Change returns the hash of the password next if current is the user's current one
// (ASVS 5.0, 6.2.3). The error is that of [Hasher.Verify], of [Hasher.Check] or of
// [Hasher.Hash], in this order. Revoke the subject's other sessions afterwards. A
// user who has forgotten the current password needs another way, with package
// onetime.
//
// Within a throttle, call Check before Try, because its errors are not wrong guesses,
// and Try would report them as faults.
func (h *Hasher) Change(ctx context.Context, hash, current, next string, about ...string) (string, error) {
	if err := h.Verify(ctx, hash, current); err != nil {
		return "", err
	}
	if err := h.Check(ctx, next, about...); err != nil {
		return "", err
	}
	return h.Hash(ctx, next)
}
