package etcdstore

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// advice has the remedies for errors of etcd.
var advice = []struct {
	err  error
	text string
}{
	{rpctypes.ErrNoSpace, "the database has reached its quota: compact, defragment, then disarm the alarm"},
	{rpctypes.ErrCorrupt, "a member is corrupt: replace it"},
	{rpctypes.ErrPermissionDenied, "grant the user readwrite on the prefix " + prefix},
	{rpctypes.ErrUserEmpty, "the cluster requires a user: set Config.Username and Config.Password"},
	{rpctypes.ErrAuthFailed, "check Config.Username and Config.Password"},
	{rpctypes.ErrRequestTooLarge, "raise --max-request-bytes to 1.5 MiB, its default"},
	{rpctypes.ErrTooManyRequests, "the members are overloaded"},
	{rpctypes.ErrNoLeader, noMajority},
	{rpctypes.ErrTimeout, noMajority},
}

const noMajority = "check that a majority of the members is up, and that their disks are fast"

// explain adds the remedy to an error. It keeps the error of a context that has ended,
// and adds what the connection was waiting for.
func explain(err error) error {
	if code := status.Code(err); code == codes.DeadlineExceeded || code == codes.Canceled {
		cause := context.DeadlineExceeded
		if code == codes.Canceled {
			cause = context.Canceled
		}
		if text := status.Convert(err).Message(); text != cause.Error() {
			return fmt.Errorf("%w: %s", cause, text)
		}
		return cause
	}
	known := rpctypes.Error(err)
	for _, a := range advice {
		if errors.Is(known, a.err) {
			return fmt.Errorf("%w (%s)", known, a.text)
		}
	}
	if s, ok := status.FromError(err); ok { // without the name of its code
		return errors.New(s.Message())
	}
	return err
}
