package password

import "context"

// maxBytes is how long a password may be. Every character of it counts.
const maxBytes = 1024

// Verify returns nil if password is the one behind hash, and [ErrWrong] if it is
// not. Any other error, from ctx while it waits for its turn or from a hash that
// cannot be read, means that nothing is known.
//
// It reads argon2id and scrypt hashes as PHC strings, and bcrypt hashes ($2a$,
// $2b$, $2y$). What asks for more than 128 MiB, 64 iterations or a parallelism over 16, for more
// than 1 GiB in all of its iterations, or for a bcrypt cost above 15, is refused
// before any work; the hashes of this Config are always read.
//
// A bcrypt hash cannot tell apart what comes after 72 bytes, so such a password
// is wrong; so is one with a NUL under bcrypt and scrypt, and one that is not
// UTF-8 under scrypt (ASVS 5.0, 6.2.8).
//
// An empty hash is that of somebody who has no password: see
// [Hasher.VerifyNobody]. A password that is empty or longer than 1024 bytes is
// wrong, after the same work as any other (6.3.8).
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

// VerifyNobody does what Verify does for a hash of this Config, and returns
// [ErrWrong]. It is for a user who does not exist, so that the time of the
// answer does not tell (ASVS 5.0, 6.3.8). Users whose hashes are of another kind
// can be told by time until [Hasher.NeedsRehash] has renewed them. While those
// are the most, give Verify a hash like theirs, of random bytes that nobody
// knows, for a user who does not exist; the renewed ones can then be told.
func (h *Hasher) VerifyNobody(ctx context.Context, password string) error {
	if err := h.verify(ctx, h.nobody, password); err != nil {
		return err
	}
	return ErrWrong
}

// verify hashes in any case, and only then says what it knew before.
func (h *Hasher) verify(ctx context.Context, s stored, password string) error {
	leave, err := h.gate.enter(ctx, s.memory())
	if err != nil {
		return err
	}
	defer leave()
	valid := password != "" && len(password) <= maxBytes && s.tells(password)
	same := s.same(h.kdf, []byte(password[:min(len(password), maxBytes)]))
	if !valid || !same {
		return ErrWrong
	}
	return nil
}

// Hash returns the argon2id hash of password with a new salt, as a PHC string
// of less than 128 bytes. It does not ask whether the password is a good one,
// so that a password of an older policy can be hashed again: call
// [Hasher.Check] first for one that is chosen. The error is [ErrTooShort] for
// an empty one, [ErrTooLong] beyond 1024 bytes, or that of ctx while it waits
// for its turn.
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

// NeedsRehash reports whether hash is anything but what [Hasher.Hash] makes
// today. Ask it after a Verify that succeeded, when the password is at hand, and
// store a new hash (ASVS 5.0, 11.2.2).
func (h *Hasher) NeedsRehash(hash string) bool {
	s, err := h.limits.parse(hash)
	a, ok := s.(argon2id)
	return err != nil || !ok || a.mem != h.argon.mem || a.iterations != h.argon.iterations ||
		a.parallelism != h.argon.parallelism || len(a.salt) < saltSize || len(a.tag) != tagSize
}

// Change returns the hash of the password next for somebody who knows the
// current one (ASVS 5.0, 6.2.3). The error is that of [Hasher.Verify], of
// [Hasher.Check] or of [Hasher.Hash], in this order. Afterwards end the
// subject's other log-ins. Who has forgotten the current one goes another way,
// through package onetime.
//
// Within a throttle, call Check before Try: its errors are no wrong guesses, and Try
// would report them as faults.
func (h *Hasher) Change(ctx context.Context, hash, current, next string, about ...string) (string, error) {
	if err := h.Verify(ctx, hash, current); err != nil {
		return "", err
	}
	if err := h.Check(ctx, next, about...); err != nil {
		return "", err
	}
	return h.Hash(ctx, next)
}
