package etcdstore

import (
	"context"
	"fmt"
	"math"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	bound    = 5 * time.Second       // of an operation
	patience = time.Second           // with one member, while another could respond
	pause    = 25 * time.Millisecond // before another try
)

// read reads a range, and retries until a member responds. If a member does not
// respond within patience, read continues with the next member of the client. count is
// the number of all keys in the range.
func (s *Store) read(ctx context.Context, patience time.Duration, request *pb.RangeRequest) (found []*mvccpb.KeyValue, count int64, err error) {
	for {
		response, err := s.readOnce(ctx, patience, request)
		if code := status.Code(err); code != codes.Unavailable && code != codes.DeadlineExceeded {
			return response.GetKvs(), response.GetCount(), err
		}
		select {
		case <-ctx.Done():
			return nil, 0, err
		case <-time.After(pause):
		}
	}
}

func (s *Store) readOnce(ctx context.Context, patience time.Duration, request *pb.RangeRequest) (*pb.RangeResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	known := s.revision.Load()
	response, err := s.kv.Range(ctx, request, options(cancel)...)
	if err != nil {
		return nil, err
	}
	if err := s.confirm(response.Header, known); err != nil {
		return nil, err
	}
	return response, nil
}

// write sends a transaction once.
func (s *Store) write(ctx context.Context, request *pb.TxnRequest) (*pb.TxnResponse, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	known := s.revision.Load()
	response, err := s.kv.Txn(ctx, request, options(cancel)...)
	if err != nil {
		return nil, err
	}
	return response, s.confirm(response.Header, known)
}

// options let a call wait for a connection, and prevent etcd's client from sending it
// twice. The client repeats a call after Canceled or DeadlineExceeded while the context
// has not ended, for example if a proxy gives up. The comparison of a repeated
// transaction fails, whether or not the first one has happened. So the first such
// response cancels the context.
func options(cancel func()) []grpc.CallOption {
	return []grpc.CallOption{
		grpc.WaitForReady(true),
		grpc.MaxCallRecvMsgSize(math.MaxInt32),
		grpc.OnFinish(func(err error) {
			if code := status.Code(err); code == codes.Canceled || code == codes.DeadlineExceeded {
				cancel()
			}
		}),
	}
}

// confirm checks that a response comes from the cluster that the store was opened on,
// and that its revision is not lower than the one known before the request. A lower
// revision means that the cluster has lost writes, because revisions only increase. It
// was restored from a backup, for example, and logouts are undone in it. So it is not
// trusted again after its revision has caught up.
func (s *Store) confirm(header *pb.ResponseHeader, known int64) error {
	if err := s.sameCluster(header); err != nil {
		return err
	}
	if header.GetRevision() < known {
		s.revision.Store(math.MaxInt64)
		return fmt.Errorf("the cluster went back to revision %d, as after a restored backup: "+
			"delete the keys under %s, then start this process again", header.GetRevision(), prefix)
	}
	for now := s.revision.Load(); now < header.GetRevision(); now = s.revision.Load() {
		if s.revision.CompareAndSwap(now, header.GetRevision()) {
			break
		}
	}
	return nil
}

// sameCluster compares the cluster ID with that of the first response.
func (s *Store) sameCluster(header *pb.ResponseHeader) error {
	id := header.GetClusterId()
	if s.cluster.CompareAndSwap(0, id) || s.cluster.Load() == id {
		return nil
	}
	return fmt.Errorf("the endpoints belong to different clusters, %x and %x: use the members of one", s.cluster.Load(), id)
}

func get(key string) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: []byte(key)}}}
}

func put(key string, record []byte) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte(key), Value: record}}}
}

func remove(key []byte) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: key}}}
}

// missing returns the comparison that key is absent.
func missing(key string) []*pb.Compare {
	return []*pb.Compare{{Key: []byte(key), Target: pb.Compare_VERSION, Result: pb.Compare_EQUAL,
		TargetUnion: &pb.Compare_Version{Version: 0}}}
}

// unchanged returns the comparison that a record was not written since it was found.
func unchanged(found *mvccpb.KeyValue) []*pb.Compare {
	return []*pb.Compare{{Key: found.Key, Target: pb.Compare_MOD, Result: pb.Compare_EQUAL,
		TargetUnion: &pb.Compare_ModRevision{ModRevision: found.ModRevision}}}
}

// holds returns the comparison that key has value and expires after now.
func holds(key string, value []byte, now uint64) []*pb.Compare {
	return []*pb.Compare{
		{Key: []byte(key), Target: pb.Compare_VALUE, Result: pb.Compare_GREATER,
			TargetUnion: &pb.Compare_Value{Value: encode(value, now)}},
		{Key: []byte(key), Target: pb.Compare_VALUE, Result: pb.Compare_LESS,
			TargetUnion: &pb.Compare_Value{Value: encode(value, forever)}},
	}
}
