package redisstore_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/authlatch/auth/store/redisstore"
	"github.com/redis/rueidis"
)

// The Store goes into the configuration of sessions or tokens:
//
//	sessions, err := session.New(session.Config{Store: s})
func Example() {
	ctx := context.Background()
	s, err := redisstore.Open(ctx, "redis://127.0.0.1:6379")
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()

	swapped, err := s.CompareAndSwap(ctx, "greeting", nil, []byte("hello"), time.Hour)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("created:", swapped)
	value, ok, err := s.Get(ctx, "greeting")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("found: %v, %s\n", ok, value)
}

// Requests of a log-in that was seen before need no round trip.
func ExampleOpenNear() {
	s, err := redisstore.OpenNear(context.Background(), "redis://127.0.0.1:6379")
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
}

// A service that has a client shares it.
func ExampleNew() {
	option := rueidis.ClientOption{InitAddress: []string{"10.0.0.1:6379", "10.0.0.2:6379"}}
	client, err := rueidis.NewClient(option)
	if err != nil {
		log.Fatal(err)
	}
	s, err := redisstore.New(context.Background(), client)
	if err != nil {
		log.Fatal(err)
	}
	near, err := redisstore.NewNear(context.Background(), s, option)
	if err != nil {
		log.Fatal(err)
	}
	defer near.Close()
}
