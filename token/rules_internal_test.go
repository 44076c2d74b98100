package token

import (
	"testing"
	"time"

	"github.com/authlatch/auth/internal/rotation"
)

const (
	attemptA = "AAAAAAAAAAAAAAAAAAAAAA"
	attemptB = "BBBBBBBBBBBBBBBBBBBBBB"
)

// Each line is a rule of rotation.
func TestRulesOfRotation(t *testing.T) {
	const window = 10 * time.Second
	const closed = window + time.Millisecond // the precision of a record
	now := time.Now().Truncate(time.Millisecond)
	for rule, c := range map[string]struct {
		current    uint64
		rotated    time.Duration // ago
		made       string        // the attempt that made the current generation
		generation uint64
		attempt    string
		want       verdict
	}{
		"the first one rotates":                             {0, 0, "", 0, attemptA, rotates},
		"the first one rotates without an attempt":          {0, 0, "", 0, "", rotates},
		"the first one rotates much later":                  {0, time.Hour, "", 0, attemptA, rotates},
		"the current one inside of the window is answered":  {1, time.Second, attemptA, 1, attemptB, answers},
		"the previous one inside is answered":               {1, time.Second, attemptA, 0, attemptB, answers},
		"the previous one inside needs no attempt":          {1, time.Second, "", 0, "", answers},
		"the window ends with its last moment":              {1, window, attemptA, 0, attemptB, answers},
		"the current one after the window rotates":          {1, closed, attemptA, 1, attemptB, rotates},
		"the previous one after the window is reuse":        {1, closed, attemptA, 0, attemptB, reuses},
		"the previous one with its attempt is recovered":    {1, closed, attemptA, 0, attemptA, recovers},
		"it is recovered however late":                      {1, 100 * time.Hour, attemptA, 0, attemptA, recovers},
		"its attempt is not needed inside of the window":    {1, time.Second, attemptA, 0, attemptA, answers},
		"no attempt recovers nothing":                       {1, closed, attemptA, 0, "", reuses},
		"no attempt is not the same as none":                {1, closed, "", 0, "", reuses},
		"an attempt that begins like the other is another":  {1, closed, attemptA, 0, attemptA[:21], reuses},
		"the one before the previous is reuse, inside":      {2, time.Second, attemptA, 0, attemptA, reuses},
		"the one before the previous is reuse, outside":     {2, closed, attemptA, 0, attemptA, reuses},
		"a very old one is reuse":                           {maxGeneration, time.Second, attemptA, 1, attemptA, reuses},
		"a later one heals":                                 {1, time.Second, attemptA, 2, attemptB, heals},
		"a later one heals outside of the window":           {1, closed, attemptA, 2, "", heals},
		"a much later one heals":                            {1, time.Second, attemptA, maxGeneration, attemptA, heals},
		"the first one is healed by a later one":            {0, 0, "", 1, attemptA, heals},
		"a rotation by a clock ahead has a window":          {1, -time.Second, attemptA, 0, attemptB, answers},
		"a rotation by a clock ahead has its whole window":  {1, -window, attemptA, 0, attemptB, answers},
		"a rotation far in the future has none":             {1, -closed, attemptA, 0, attemptB, reuses},
		"the current one of such a rotation repairs it":     {1, -time.Hour, attemptA, 1, attemptB, rotates},
		"the attempt counts in spite of such a rotation":    {1, -time.Hour, attemptA, 0, attemptA, recovers},
		"nothing is in the window of a log-in":              {0, time.Second, "", 1, "", heals},
		"the current one is no recovery, whatever it sends": {1, closed, attemptA, 1, attemptA, rotates},
	} {
		f := &family{Generation: c.current, Rotated: now.Add(-c.rotated).UnixMilli(), Attempt: attemptHash(c.made)}
		if got := f.judge(c.generation, c.attempt, now, window); got != c.want {
			t.Errorf("%s: %v, want %v", rule, got, c.want)
		}
	}
}

// Each line is a rule of what follows a recovery. The grace period after the
// rotation is over.
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
		recovered, presented time.Duration // ago
		generation           uint64
		attempt              string
		want                 verdict
	}{
		"it opens no grace period for another attempt": {time.Second, never, 4, attemptB, reuses},
		"nor for none":                                     {time.Second, never, 4, "", reuses},
		"nor for the token before":                         {time.Second, never, 3, attemptA, reuses},
		"its attempt is answered without a write":          {time.Second, never, 4, attemptA, answers},
		"and recovers again later":                         {closed, never, 4, attemptA, recovers},
		"however late":                                     {100 * time.Hour, never, 4, attemptA, recovers},
		"the current token does not rotate":                {time.Second, never, 5, attemptB, arrives},
		"to the last moment":                               {grace, never, 5, attemptB, arrives},
		"but after it":                                     {closed, never, 5, attemptB, rotates},
		"it is noted once that the current token came":     {time.Second, time.Millisecond, 5, attemptB, answers},
		"it does not keep the current token from rotating": {closed, time.Second, 5, attemptB, rotates},
		"what was under way is answered":                   {time.Second, time.Millisecond, 4, attemptA, answers},
		"to the end of a grace period":                     {closed, grace, 4, attemptA, answers},
		"but not after it":                                 {grace, closed, 4, attemptA, reuses},
		"nor does the attempt recover after it":            {time.Hour, time.Hour, 4, attemptA, reuses},
		"what was under way needs the attempt":             {time.Second, time.Millisecond, 4, attemptB, reuses},
		"a recovery by a clock ahead holds":                {-time.Second, never, 5, attemptB, arrives},
		"a recovery far in the future does not":            {-closed, never, 5, attemptB, rotates},
		"and is made again":                                {-closed, never, 4, attemptA, recovers},
		"a presentation far in the future ends recoveries": {time.Second, -closed, 4, attemptA, reuses},
		"a later generation heals":                         {time.Second, never, 6, attemptB, heals},
	} {
		f := &family{
			Generation: 5, Rotated: ago(time.Hour), Attempt: attemptHash(attemptA),
			Recovered: ago(c.recovered), Presented: ago(c.presented),
		}
		if got := f.judge(c.generation, c.attempt, now, grace); got != c.want {
			t.Errorf("%s: %v, want %v", rule, got, c.want)
		}
	}
}

// What is written for a verdict, and that nothing else changes.
func TestWhatIsWrittenForAVerdict(t *testing.T) {
	now := time.UnixMilli(goldenFamily().Rotated).Add(time.Hour)
	from := rotation.Device{UserAgent: "Another", Address: "192.0.2.3"}
	base := *goldenFamily()
	base.Idle, base.Last = now.Add(3*time.Hour).UnixMilli(), from
	turned := func(f *family) { f.Rotated, f.Recovered, f.Presented = now.UnixMilli(), 0, 0 }
	for rule, c := range map[string]struct {
		verdict verdict
		change  func(*family)
	}{
		"a rotation counts up, with its attempt": {rotates, func(f *family) {
			f.Generation, f.Attempt = 301, attemptHash(attemptA)
			turned(f)
		}},
		"a recovery keeps generation, attempt and time of the rotation": {recovers, func(f *family) { f.Recovered = now.UnixMilli() }},
		"so does the presentation after it":                             {arrives, func(f *family) { f.Presented = now.UnixMilli() }},
		"healing adopts, and forgets the attempt": {heals, func(f *family) {
			f.Generation, f.Attempt = 777, ""
			turned(f)
		}},
	} {
		want := base
		c.change(&want)
		if got := goldenFamily().after(c.verdict, 777, attemptA, now, 3*time.Hour, from); *got != want {
			t.Errorf("%s: %+v", rule, got)
		}
	}
	if got := goldenFamily().after(rotates, 300, "", now, time.Hour, from); got.Attempt != "" {
		t.Error("no attempt leaves one")
	}
}

// ASVS 5.0, 10.4.8.
func TestEndOfAFamilyNeverMoves(t *testing.T) {
	f := goldenFamily()
	end := f.Expires
	for now := time.UnixMilli(f.Created); now.Before(time.UnixMilli(end).Add(time.Hour)); now = now.Add(59 * time.Minute) {
		before := f.Idle
		f = f.after(rotates, f.Generation, attemptA, now, 3*time.Hour, rotation.Device{})
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
	next := f.after(rotates, f.Generation, attemptA, early, time.Minute, rotation.Device{})
	again, err := parseFamily(next.encode())
	if err != nil || *again != *next || next.Rotated != f.Created || next.Idle != f.Idle {
		t.Errorf("%+v %v", again, err)
	}
}
