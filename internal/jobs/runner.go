package jobs

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivermigrate"

	"dcdentals.com/caseload/internal/caseload"
)

// runner is what both engines share: a River client over one kind of transaction.
type runner[TTx any] struct {
	driver riverdriver.Driver[TTx]
	client *river.Client[TTx]
	log    *slog.Logger
}

func newRunner[TTx any](driver riverdriver.Driver[TTx], config *river.Config) (runner[TTx], error) {
	client, err := river.NewClient(driver, config)
	return runner[TTx]{driver: driver, client: client, log: config.Logger}, err
}

func (r *runner[TTx]) migrator() (*rivermigrate.Migrator[TTx], error) {
	return rivermigrate.New(r.driver, &rivermigrate.Config{Logger: r.log})
}

func (r *runner[TTx]) migrateUp(ctx context.Context) error {
	m, err := r.migrator()
	if err != nil {
		return err
	}
	_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}

// validate answers Unavailable with what to do when River's tables are not those this binary was built for.
func (r *runner[TTx]) validate(ctx context.Context) error {
	m, err := r.migrator()
	if err != nil {
		return err
	}
	v, err := m.Validate(ctx, nil)
	if err != nil {
		return fmt.Errorf("jobs: check the queue's tables: %w", err)
	}
	if !v.OK {
		return caseload.Errorf(caseload.Unavailable, "The queue's tables are not up to date.").WithHint("Run: caseload migrate")
	}
	return nil
}

func (r *runner[TTx]) ping(ctx context.Context) error { return r.driver.GetExecutor().Ping(ctx) }

func (r *runner[TTx]) start(ctx context.Context) error { return r.client.Start(ctx) }

func (r *runner[TTx]) sweepNow(ctx context.Context) error {
	_, err := r.client.Insert(ctx, sweepArgs{}, nil)
	return err
}

func (r *runner[TTx]) rereadNow(ctx context.Context) error {
	_, err := r.client.Insert(ctx, rereadArgs{}, nil)
	return err
}

func (r *runner[TTx]) stop(ctx context.Context) error {
	return r.client.Stop(ctx)
}
