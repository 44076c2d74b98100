package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// many is how many requests come at once where many do.
const many = 32

// sessions measures sessions in each place that there is.
func sessions(ctx context.Context, b *bench) error {
	var errs []error
	for _, o := range places {
		if err := b.visit(ctx, o); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", o.name, err))
		}
	}
	return errors.Join(errs...)
}

// visit measures sessions in one place.
func (b *bench) visit(ctx context.Context, o opener) error {
	h := new(host)
	defer h.close()
	p, err := o.open(ctx, h)
	p.name = o.name
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		b.leaveOut("sessions in "+o.name, err)
		return nil
	}
	b.say("sessions in %s", o.name)
	if p.version != "" {
		b.versions = append(b.versions, o.name+": "+p.version)
	}
	sites, err := p.sites()
	if err != nil {
		return err
	}
	e := b.effort
	if p.version != "" { // a call takes longer
		e.slice *= 2
	}
	if err := b.reads(ctx, e, p, sites); err != nil {
		return err
	}
	plain := append([]site{sites[0]}, sites[len(p.stores):]...)
	if err := b.writes(ctx, e, p, plain); err != nil {
		return err
	}
	return b.ends(ctx, p)
}

// sites are ours, and then those of others.
func (p place) sites() ([]site, error) {
	var all []site
	for _, s := range p.stores {
		ours, err := ourSessions(s.name, s.one)
		if err != nil {
			return nil, err
		}
		all = append(all, ours)
	}
	return append(all, p.peers...), nil
}

// reads measures requests of a browser that is logged in.
func (b *bench) reads(ctx context.Context, e effort, p place, sites []site) error {
	contenders := []contender{p.floor}
	for _, s := range sites {
		credential, err := s.login(typical.Subject)
		if err != nil {
			return err
		}
		contenders = append(contenders, contender{name: s.name, call: s.reading(credential, typical.Subject)})
	}
	if err := b.measure(ctx, e, group{"read", p.name, 1, contenders}); err != nil {
		return err
	}
	e.slice *= 4
	return b.measure(ctx, e, group{"read", p.name, many, contenders})
}

// writes measures logins and logouts, one after the other.
func (b *bench) writes(ctx context.Context, e effort, p place, sites []site) error {
	logins, logouts := []contender{p.floor}, []contender{p.floor}
	for _, s := range sites {
		credential := ""
		login := func() (err error) {
			credential, err = s.login(typical.Subject)
			return err
		}
		logout := func() error {
			if credential == "" {
				return nil
			}
			return s.logout(credential)
		}
		logins = append(logins, contender{name: s.name, call: login, before: logout})
		logouts = append(logouts, contender{name: s.name, call: logout, before: login})
	}
	e.rounds, e.slice = (e.rounds+1)/2, min(e.slice, 2*time.Millisecond)
	if err := b.measure(ctx, e, group{"login", p.name, 1, logins}); err != nil {
		return err
	}
	return b.measure(ctx, e, group{"logout", p.name, 1, logouts})
}
