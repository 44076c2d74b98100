package session_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// Who of a known list of users, such as the members of a project, is online: a store lists no
// sessions of unknown users. The last use is exact to a tenth of the idle timeout.
func ExampleManager_Logins() {
	sessions, err := session.New(session.Config{Store: &store.Memory{}})
	if err != nil {
		panic(err)
	}
	online := func(ctx context.Context, subject string) (bool, error) {
		logins, err := sessions.Logins(ctx, subject)
		for _, login := range logins {
			if !login.Pending && time.Since(login.LastUsed) < 10*time.Minute {
				return true, nil
			}
		}
		return false, err
	}

	r := httptest.NewRequest("POST", "/login", nil)
	if err := sessions.Login(httptest.NewRecorder(), r, auth.Identity{Subject: "alice"}); err != nil {
		panic(err)
	}
	for _, subject := range []string{"alice", "bob"} {
		is, err := online(context.Background(), subject)
		fmt.Println(subject, is, err)
	}
	// Output:
	// alice true <nil>
	// bob false <nil>
}
