package etcdstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// check returns an error for a cluster that cannot fulfil the contract.
func (s *Store) check(ctx context.Context) error {
	endpoints := s.client.Endpoints()
	errs := make([]error, len(endpoints))
	responded := make([]bool, len(endpoints))
	var group sync.WaitGroup
	for i, endpoint := range endpoints {
		group.Go(func() { responded[i], errs[i] = s.checkMember(ctx, endpoint) })
	}
	group.Wait()
	some := false
	for i, err := range errs {
		if err != nil && responded[i] {
			return err
		}
		some = some || responded[i]
	}
	if !some {
		return fmt.Errorf("no member responds: %w", errors.Join(errs...))
	}
	return s.probe(ctx)
}

// checkMember requests the status of one member. responded is false if the member is
// down, which does not prevent opening a Store.
func (s *Store) checkMember(ctx context.Context, endpoint string) (responded bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := s.client.Dial(endpoint)
	if err != nil {
		return false, fmt.Errorf("%s: %w", endpoint, err)
	}
	defer conn.Close()
	status, err := pb.NewMaintenanceClient(conn).Status(ctx, &pb.StatusRequest{})
	if denied(err) { // probe finds out
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", endpoint, explain(err))
	}
	if status.IsLearner {
		return true, fmt.Errorf("%s is a learner, which does not serve linearizable reads: remove it from the endpoints", endpoint)
	}
	if tooOld(status.Version) {
		return true, fmt.Errorf("%s has version %.20q, want 3.4 or later", endpoint, status.Version)
	}
	return true, s.sameCluster(status.Header)
}

func tooOld(version string) bool {
	var major, minor int
	_, err := fmt.Sscanf(version, "%d.%d", &major, &minor)
	return err != nil || major < 3 || major == 3 && minor < 4
}

func denied(err error) bool {
	err = rpctypes.Error(err)
	return errors.Is(err, rpctypes.ErrPermissionDenied) || errors.Is(err, rpctypes.ErrUserEmpty) || errors.Is(err, rpctypes.ErrInvalidAuthToken)
}

// probe makes each kind of call once, so that a missing permission is found now and
// not at the first login. In a full database logins can still be read and ended.
func (s *Store) probe(ctx context.Context) error {
	key, one, other := prefix+"probe:"+strings.ToLower(rand.Text()), []byte{1}, []byte{2}
	if _, err := s.create(ctx, key, one, time.Minute); err != nil && !errors.Is(rpctypes.Error(err), rpctypes.ErrNoSpace) {
		return err
	}
	if _, err := s.swap(ctx, key, one, other, time.Minute); err != nil && !errors.Is(rpctypes.Error(err), rpctypes.ErrNoSpace) {
		return err
	}
	if _, err := s.get(ctx, key); err != nil {
		return err
	}
	_, err := s.write(ctx, &pb.TxnRequest{Success: []*pb.RequestOp{remove([]byte(key))}})
	return err
}
