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
	patience = time.Second           // with one member, while another could answer
	pause    = 25 * time.Millisecond // before another try
)

// read asks until a member answers: reads may be repeated. A member that does
// not answer for so long is left for the next one of the client's round. count is
// that of all keys in the range.
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

// options let a call wait for a connection, and keep etcd's client from sending
// it twice. The client repeats a call whose answer is Canceled or
// DeadlineExceeded while the context lives, as when a proxy gives up. A
// transaction that had happened would then be refused, like one that had not. So
// the context ends with the first such answer.
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

// confirm checks that an answer is of the cluster that the store was opened on,
// and that the cluster has forgotten nothing: its revision was known before the
// request, and it only grows. A cluster that was restored from a backup is
// older, and logouts are undone in it; so it is not believed when it has caught
// up, either.
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

// sameCluster takes the ID of the first answer for that of all.
func (s *Store) sameCluster(header *pb.ResponseHeader) error {
	id := header.GetClusterId()
	if s.cluster.CompareAndSwap(0, id) || s.cluster.Load() == id {
		return nil
	}
	return fmt.Errorf("the endpoints belong to different clusters, %x and %x: name the members of one", s.cluster.Load(), id)
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

// missing compares: there is no key.
func missing(key string) []*pb.Compare {
	return []*pb.Compare{{Key: []byte(key), Target: pb.Compare_VERSION, Result: pb.Compare_EQUAL,
		TargetUnion: &pb.Compare_Version{Version: 0}}}
}

// unchanged compares: key was not written since it was found.
func unchanged(found *mvccpb.KeyValue) []*pb.Compare {
	return []*pb.Compare{{Key: found.Key, Target: pb.Compare_MOD, Result: pb.Compare_EQUAL,
		TargetUnion: &pb.Compare_ModRevision{ModRevision: found.ModRevision}}}
}

// holds compares: key has a record of value that ends after now.
func holds(key string, value []byte, now uint64) []*pb.Compare {
	return []*pb.Compare{
		{Key: []byte(key), Target: pb.Compare_VALUE, Result: pb.Compare_GREATER,
			TargetUnion: &pb.Compare_Value{Value: encode(value, now)}},
		{Key: []byte(key), Target: pb.Compare_VALUE, Result: pb.Compare_LESS,
			TargetUnion: &pb.Compare_Value{Value: encode(value, forever)}},
	}
}
