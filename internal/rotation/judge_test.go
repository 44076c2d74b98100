package rotation

import (
	"testing"
	"time"
)

const (
	attemptA = "AAAAAAAAAAAAAAAAAAAAAA"
	attemptB = "BBBBBBBBBBBBBBBBBBBBBB"
)

// Each line is a rule of rotation.
func TestRulesOfRotation(t *testing.T) {
	const grace = 10 * time.Second
	const closed = grace + time.Millisecond // the precision of a record
	now := time.Now().Truncate(time.Millisecond)
	for rule, c := range map[string]struct {
		current    uint64
		rotated    time.Duration // ago
		made       string        // the idempotency key that made the current generation
		generation uint64
		attempt    string
		want       Verdict
	}{
		"the first one rotates":                                  {0, 0, "", 0, attemptA, Rotates},
		"the first one rotates without a key":                    {0, 0, "", 0, "", Rotates},
		"the first one rotates much later":                       {0, time.Hour, "", 0, attemptA, Rotates},
		"the current one inside of the grace period is answered": {1, time.Second, attemptA, 1, attemptB, Answers},
		"the previous one inside is answered":                    {1, time.Second, attemptA, 0, attemptB, Answers},
		"the previous one inside needs no key":                   {1, time.Second, "", 0, "", Answers},
		"the grace period ends with its last moment":             {1, grace, attemptA, 0, attemptB, Answers},
		"the current one after the grace period rotates":         {1, closed, attemptA, 1, attemptB, Rotates},
		"the previous one after the grace period is reuse":       {1, closed, attemptA, 0, attemptB, Reuses},
		"the previous one with its key is recovered":             {1, closed, attemptA, 0, attemptA, Recovers},
		"it is recovered however late":                           {1, 100 * time.Hour, attemptA, 0, attemptA, Recovers},
		"its key is not needed inside of the grace period":       {1, time.Second, attemptA, 0, attemptA, Answers},
		"no key recovers nothing":                                {1, closed, attemptA, 0, "", Reuses},
		"two missing keys do not match":                          {1, closed, "", 0, "", Reuses},
		"a key that begins like the other is another":            {1, closed, attemptA, 0, attemptA[:21], Reuses},
		"the one before the previous is reuse, inside":           {2, time.Second, attemptA, 0, attemptA, Reuses},
		"the one before the previous is reuse, outside":          {2, closed, attemptA, 0, attemptA, Reuses},
		"a very old one is reuse":                                {maxGeneration, time.Second, attemptA, 1, attemptA, Reuses},
		"a later one heals":                                      {1, time.Second, attemptA, 2, attemptB, Heals},
		"a later one heals outside of the grace period":          {1, closed, attemptA, 2, "", Heals},
		"a much later one heals":                                 {1, time.Second, attemptA, maxGeneration, attemptA, Heals},
		"the first one is healed by a later one":                 {0, 0, "", 1, attemptA, Heals},
		"a rotation by a clock ahead has a grace period":         {1, -time.Second, attemptA, 0, attemptB, Answers},
		"a rotation by a clock ahead has its whole grace period": {1, -grace, attemptA, 0, attemptB, Answers},
		"a rotation far in the future has none":                  {1, -closed, attemptA, 0, attemptB, Reuses},
		"the current one of such a rotation repairs it":          {1, -time.Hour, attemptA, 1, attemptB, Rotates},
		"the key counts in spite of such a rotation":             {1, -time.Hour, attemptA, 0, attemptA, Recovers},
		"nothing is in the grace period of a login":              {0, time.Second, "", 1, "", Heals},
		"the current one is not a recovery, with any key":        {1, closed, attemptA, 1, attemptA, Rotates},
	} {
		f := &Family{Generation: c.current, Rotated: now.Add(-c.rotated).UnixMilli(), Attempt: AttemptHash(c.made)}
		if got := f.Judge(c.generation, c.attempt, now, grace); got != c.want {
			t.Errorf("%s: %v, want %v", rule, got, c.want)
		}
	}
}

// Each line is a rule for the time after a recovery, when the grace period of the
// rotation has ended.
func TestRulesAfterARecovery(t *testing.T) {
	const grace = 10 * time.Second
	const closed = grace + time.Millisecond
	const never = 0
	now := time.Now().Truncate(time.Millisecond)
	ago := func(d time.Duration) int64 {
		if d == never {
			return 0
		}
		return now.Add(-d).UnixMilli()
	}
	for rule, c := range map[string]struct {
		Recovered, Presented time.Duration // ago
		generation           uint64
		attempt              string
		want                 Verdict
	}{
		"it starts no grace period for another key": {time.Second, never, 4, attemptB, Reuses},
		"nor for none":                                     {time.Second, never, 4, "", Reuses},
		"nor for the token before the previous":            {time.Second, never, 3, attemptA, Reuses},
		"its key is answered without a write":              {time.Second, never, 4, attemptA, Answers},
		"and recovers again later":                         {closed, never, 4, attemptA, Recovers},
		"however late":                                     {100 * time.Hour, never, 4, attemptA, Recovers},
		"the current token does not rotate":                {time.Second, never, 5, attemptB, Arrives},
		"to the last moment":                               {grace, never, 5, attemptB, Arrives},
		"but after it":                                     {closed, never, 5, attemptB, Rotates},
		"it is noted once that the current token came":     {time.Second, time.Millisecond, 5, attemptB, Answers},
		"it does not keep the current token from rotating": {closed, time.Second, 5, attemptB, Rotates},
		"what was under way is answered":                   {time.Second, time.Millisecond, 4, attemptA, Answers},
		"to the end of a grace period":                     {closed, grace, 4, attemptA, Answers},
		"but not after it":                                 {grace, closed, 4, attemptA, Reuses},
		"nor does the key recover after it":                {time.Hour, time.Hour, 4, attemptA, Reuses},
		"what was under way needs the key":                 {time.Second, time.Millisecond, 4, attemptB, Reuses},
		"a recovery by a clock ahead holds":                {-time.Second, never, 5, attemptB, Arrives},
		"a recovery far in the future does not":            {-closed, never, 5, attemptB, Rotates},
		"and is made again":                                {-closed, never, 4, attemptA, Recovers},
		"a presentation far in the future ends recoveries": {time.Second, -closed, 4, attemptA, Reuses},
		"a later generation heals":                         {time.Second, never, 6, attemptB, Heals},
	} {
		f := &Family{
			Generation: 5, Rotated: ago(time.Hour), Attempt: AttemptHash(attemptA),
			Recovered: ago(c.Recovered), Presented: ago(c.Presented),
		}
		if got := f.Judge(c.generation, c.attempt, now, grace); got != c.want {
			t.Errorf("%s: %v, want %v", rule, got, c.want)
		}
	}
}

// What is written for a verdict, and that nothing else changes.
func TestWhatIsWrittenForAVerdict(t *testing.T) {
	now := time.UnixMilli(goldenFamily().Rotated).Add(time.Hour)
	from := Device{"Another", "192.0.2.3"}
	base := *goldenFamily()
	base.Idle, base.Last = now.Add(3*time.Hour).UnixMilli(), from
	turned := func(f *Family) { f.Rotated, f.Recovered, f.Presented = now.UnixMilli(), 0, 0 }
	for rule, c := range map[string]struct {
		verdict Verdict
		change  func(*Family)
	}{
		"a rotation counts up, with its key": {Rotates, func(f *Family) {
			f.Generation, f.Attempt = 301, AttemptHash(attemptA)
			turned(f)
		}},
		"a recovery keeps generation, key and time of the rotation": {Recovers, func(f *Family) { f.Recovered = now.UnixMilli() }},
		"so does the presentation after it":                         {Arrives, func(f *Family) { f.Presented = now.UnixMilli() }},
		"healing adopts, and forgets the key": {Heals, func(f *Family) {
			f.Generation, f.Attempt = 777, ""
			turned(f)
		}},
	} {
		want := base
		c.change(&want)
		if got := goldenFamily().After(c.verdict, 777, attemptA, now, 3*time.Hour, from); *got != want {
			t.Errorf("%s: %+v", rule, got)
		}
	}
	if got := goldenFamily().After(Rotates, 300, "", now, time.Hour, from); got.Attempt != "" {
		t.Error("no key leaves one")
	}
}

// ASVS 5.0, 10.4.8.
func TestEndOfAFamilyNeverMoves(t *testing.T) {
	f := goldenFamily()
	end := f.Expires
	for now := time.UnixMilli(f.Created); now.Before(time.UnixMilli(end).Add(time.Hour)); now = now.Add(59 * time.Minute) {
		before := f.Idle
		f = f.After(Rotates, f.Generation, attemptA, now, 3*time.Hour, Device{})
		if f.Expires != end || f.Idle > end || f.Idle < before {
			t.Fatalf("at %v: idle %d, end %d", now, f.Idle, f.Expires)
		}
	}
	if f.Idle != end {
		t.Error("the idle limit has not come to the end")
	}
}

// A host whose clock lags writes no time that the record cannot hold.
func TestClockThatLagsWritesNothingImpossible(t *testing.T) {
	f := goldenFamily()
	early := time.UnixMilli(f.Created).Add(-time.Hour)
	next := f.After(Rotates, f.Generation, attemptA, early, time.Minute, Device{})
	again, err := Parse(next.Encode())
	if err != nil || *again != *next || next.Rotated != f.Created || next.Idle != f.Idle {
		t.Errorf("%+v %v", again, err)
	}
}
