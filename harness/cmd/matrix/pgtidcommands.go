package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mysqlmatrix/harness/pseudogtid"
	"mysqlmatrix/harness/server"
)

func (p *pgtid) injectCommand() *cobra.Command {
	var every time.Duration
	var schedule, unschedule bool
	c := &cobra.Command{
		Use:   "inject SERVER",
		Short: "Write an entry, or one every so often until interrupted",
		Example: `  matrix pgtid inject primary
  matrix pgtid inject primary --every 5s
  matrix pgtid inject primary --schedule --every 5s    by the server's own event scheduler`,
		Args: exactArgs(1, "one SERVER"),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			if every < 0 || schedule && every < time.Second {
				return usageError{fmt.Errorf("--every %s: want a positive time, with --schedule a second or more", every)}
			}
			return p.open(ctx, args, func(s []*server.Server) error {
				switch {
				case unschedule:
					return pseudogtid.Unschedule(ctx, s[0])
				case schedule:
					return pseudogtid.Schedule(ctx, s[0], every)
				case every > 0:
					injector := pseudogtid.StartInjector(ctx, s[0], every)
					<-ctx.Done()
					return injector.Stop()
				}
				hint, err := pseudogtid.Inject(ctx, s[0])
				return p.outcome(c.OutOrStdout(), err, map[string]string{"hint": hint}, hint)
			})
		},
	}
	c.Flags().DurationVar(&every, "every", 0, "interval, such as 5s; without it one entry is written")
	c.Flags().BoolVar(&schedule, "schedule", false, "have the server's event scheduler do it (creates the database pseudo_gtid)")
	c.Flags().BoolVar(&unschedule, "unschedule", false, "drop that event again")
	c.MarkFlagsMutuallyExclusive("schedule", "unschedule")
	return c
}

func (p *pgtid) lastCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "last SERVER",
		Short:   "The newest entry in a server's binary logs",
		Example: "  matrix pgtid last replica1 --json",
		Args:    exactArgs(1, "one SERVER"),
		RunE: func(c *cobra.Command, args []string) error {
			return p.open(c.Context(), args, func(s []*server.Server) error {
				entry, err := pseudogtid.Last(c.Context(), s[0])
				return p.entry(c, s[0], entry, err, pseudogtid.NoEntry)
			})
		},
	}
}

func (p *pgtid) findCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "find SERVER HINT",
		Short:   "Where an entry stands in a server's binary logs",
		Example: "  matrix pgtid find replica1 6b064c13:00000065:e5dfb4dc4b5c757d",
		Args:    exactArgs(2, "a SERVER and a HINT"),
		RunE: func(c *cobra.Command, args []string) error {
			if strings.Trim(strings.ToLower(args[1]), "0123456789abcdef:") != "" || args[1] == "" {
				return usageError{fmt.Errorf("hint %q: want hexadecimal numbers and colons, as matrix pgtid last prints it", args[1])}
			}
			return p.open(c.Context(), args[:1], func(s []*server.Server) error {
				entry, err := pseudogtid.Find(c.Context(), s[0], args[1])
				return p.entry(c, s[0], entry, err, pseudogtid.NotFound)
			})
		},
	}
}

// entry prints an entry, or that there is none.
func (p *pgtid) entry(c *cobra.Command, s *server.Server, entry *pseudogtid.Entry, err error, otherwise pseudogtid.Refusal) error {
	if err == nil && entry == nil {
		text := "the binary logs of " + s.Endpoint.Addr() + " do not hold it"
		if otherwise == pseudogtid.NoEntry {
			text = "the binary logs of " + s.Endpoint.Addr() + " hold no Pseudo-GTID entry"
		}
		if err := p.outcome(c.OutOrStdout(), nil, refusalJSON{Refusal: otherwise.String(), Reason: text}, text); err != nil {
			return err
		}
		return codeError{exitRefused}
	}
	if err != nil {
		return err
	}
	return p.outcome(c.OutOrStdout(), nil, entry, fmt.Sprintf("%s ends at %s", entry.Hint, entry.End))
}

func (p *pgtid) matchCommand() *cobra.Command {
	var place string
	c := &cobra.Command{
		Use:   "match REPLICA TARGET",
		Short: "Where a replica would continue on a target; changes nothing",
		Long: `match says from which place of TARGET's binary logs REPLICA would continue. The replica's applier must be stopped. With
--at it says which place in TARGET's logs equals a place in REPLICA's: the same transactions come before both.`,
		Example: `  matrix pgtid match replica2 replica1
  matrix pgtid match replica2 replica1 --at mysql-bin.000003:4711`,
		Args: exactArgs(2, "a REPLICA and a TARGET"),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			var at server.Coordinates
			if place != "" {
				var err error
				if at, err = parsePlace(place); err != nil {
					return err
				}
			}
			return p.open(ctx, args, func(s []*server.Server) error {
				if place != "" {
					equal, err := p.matcher().Equivalent(ctx, s[0], at, s[1])
					return p.outcome(c.OutOrStdout(), err, map[string]server.Coordinates{"at": equal}, equal.String())
				}
				answer, err := p.matcher().Examine(ctx, s[0], s[1])
				text := ""
				if answer != nil {
					text = fmt.Sprintf("%s\n(last entry %s; %d events of the replica compared with %d of the target, %d of its logs opened)", answer.At,
						answer.Entry.Hint, answer.Replica.Events, answer.Target.Events, answer.Opened)
				}
				return p.outcome(c.OutOrStdout(), err, answer, text)
			})
		},
	}
	c.Flags().StringVar(&place, "at", "", "FILE:POSITION in the replica's own binary logs instead of their end")
	p.matcherFlags(c)
	return c
}

func (p *pgtid) explainCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "explain REPLICA TARGET",
		Short: "Both logs side by side, around the end or where the histories part",
		Long: `explain matches, changes nothing, and prints what both logs hold around the point where they part, why that keeps the
replica from continuing there, and what to do about it.`,
		Example: "  matrix pgtid explain replica2 replica1",
		Args:    exactArgs(2, "a REPLICA and a TARGET"),
		RunE: func(c *cobra.Command, args []string) error {
			return p.open(c.Context(), args, func(s []*server.Server) error {
				x, err := p.matcher().Explain(c.Context(), s[0], s[1])
				if err != nil {
					return err
				}
				if err := p.outcome(c.OutOrStdout(), nil, x, strings.TrimRight(x.String(), "\n")); err != nil {
					return err
				}
				if x.Refusal != "" {
					return codeError{exitRefused}
				}
				return nil
			})
		},
	}
	p.matcherFlags(c)
	return c
}

// relocation is how relocate moves a replica: the flags of the command.
type relocation struct {
	*pgtid
	up, sibling, regroup, dry bool
	user, password            string
}

func (p *pgtid) relocateCommand() *cobra.Command {
	r := &relocation{pgtid: p}
	c := &cobra.Command{
		Use:   "relocate REPLICA [TARGET]",
		Short: "Move a replica below a target, up, beside another one, or regroup replicas of a dead primary",
		Long: `relocate stops the replica, matches it, points it to the target and starts it. When the match is refused, the replica goes
on where it was. It connects with the account that it has, or with --replication-user.`,
		Example: `  matrix pgtid relocate replica2 replica1
  matrix pgtid relocate replica2 --up                          below its source's source
  matrix pgtid relocate replica3 replica1 --sibling            below replica1's source
  matrix pgtid relocate replica1 replica2 replica3 --regroup   the primary is dead: all below the one that has most`,
		Args: r.arguments,
		RunE: func(c *cobra.Command, args []string) error {
			if r.dry && (r.up || r.sibling || r.regroup) {
				return usageError{fmt.Errorf("--dry-run goes with a TARGET only: use matrix pgtid match")}
			}
			return p.open(c.Context(), args, func(s []*server.Server) error { return r.move(c, s) })
		},
	}
	f := c.Flags()
	f.BoolVar(&r.up, "up", false, "move it below the source of its source")
	f.BoolVar(&r.sibling, "sibling", false, "move it below the source of TARGET")
	f.BoolVar(&r.regroup, "regroup", false, "all arguments are replicas of a dead primary: find the one that has most and move the others below it")
	f.BoolVar(&r.dry, "dry-run", false, "only say where it would continue")
	f.StringVar(&r.user, "replication-user", "", "account to replicate with (default: the one that the replica has)")
	f.StringVar(&r.password, "replication-password", "", "its password")
	c.MarkFlagsMutuallyExclusive("up", "sibling", "regroup")
	p.matcherFlags(c)
	return c
}

func (r *relocation) arguments(c *cobra.Command, args []string) error {
	switch {
	case r.regroup && len(args) < 2:
		return usageError{fmt.Errorf("%s --regroup wants two or more replicas, got %d", c.CommandPath(), len(args))}
	case r.regroup:
		return nil
	case r.up:
		return exactArgs(1, "with --up one REPLICA")(c, args)
	}
	return exactArgs(2, "a REPLICA and a TARGET")(c, args)
}

// move moves the first server, or regroups all, and prints where replication continues.
func (r *relocation) move(c *cobra.Command, s []*server.Server) (err error) {
	ctx, m := c.Context(), r.matcher()
	account := func(target *server.Server) server.Endpoint {
		return server.Endpoint{Host: target.Endpoint.Host, Port: target.Endpoint.Port, User: r.user, Password: r.password}
	}
	var at server.Coordinates
	switch {
	case r.regroup:
		group, err := m.Regroup(ctx, s, account)
		if err != nil {
			return err
		}
		return r.regrouped(c, group)
	case r.up:
		at, err = m.MoveUp(ctx, s[0])
	case r.sibling:
		at, err = m.MakeSibling(ctx, s[0], s[1])
	case r.dry:
		at, err = m.Match(ctx, s[0], s[1])
	default:
		at, err = m.Relocate(ctx, s[0], s[1], account(s[1]))
	}
	return r.outcome(c.OutOrStdout(), err, map[string]server.Coordinates{"at": at}, fmt.Sprintf("%s continues at %s", s[0].Endpoint.Addr(), at))
}

// regrouped prints what became of each replica.
func (p *pgtid) regrouped(c *cobra.Command, group *pseudogtid.Regrouped) error {
	type member struct {
		At      *server.Coordinates `json:"at,omitempty"`
		Refusal string              `json:"refusal,omitempty"`
	}
	members := map[string]member{}
	text := group.Primary.Endpoint.Addr() + " has most; it stays stopped and read-only until you promote it"
	for s, at := range group.Moved {
		members[s.Endpoint.Addr()] = member{At: &at}
		text += fmt.Sprintf("\n%s continues below it at %s", s.Endpoint.Addr(), at)
	}
	for s, err := range group.Refused {
		members[s.Endpoint.Addr()] = member{Refusal: err.Error()}
		text += fmt.Sprintf("\n%s was not moved: %v", s.Endpoint.Addr(), err)
	}
	err := p.outcome(c.OutOrStdout(), nil, map[string]any{"primary": group.Primary.Endpoint.Addr(), "replicas": members}, text)
	if err == nil && len(group.Refused) > 0 {
		return codeError{exitRefused}
	}
	return err
}
