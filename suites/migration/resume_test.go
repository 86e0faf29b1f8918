package migration_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"mysqlmatrix/harness/cell"
	"mysqlmatrix/harness/migration"
	"mysqlmatrix/harness/suitekit"
)

var _ = forTool("interruption", func(driver migration.Tool) {
	tool := driver.Describe()
	if tool.Resume == nil {
		return
	}
	mode := tool.PrimaryModes[0]
	It(fmt.Sprintf("%s: resumes from a checkpoint after SIGKILL", mode), Label(cell.LabelFull, cell.LabelWaiting), func(ctx SpecContext) {
		resume(ctx, driver, mode, nil)
	})
	if tool.Resume.Hook != "" {
		It(fmt.Sprintf("%s: resumes from a checkpoint without losing writes that come while its hook runs", mode), Label(cell.LabelFull, cell.LabelWaiting), func(ctx SpecContext) {
			resume(ctx, driver, mode, slowHook)
		})
	}
})

// meanwhile gives a run of the tool flags, and do, which does what belongs to them once it has begun. Nil is nothing.
type meanwhile func(context.Context, *fixture) (flags []string, do func())

// beginDuring starts the tool with flags and with those of what happens meanwhile, which happens then.
func (f *fixture) beginDuring(ctx SpecContext, during meanwhile, flags []string) *toolRun {
	if during == nil {
		return f.begin(ctx, flags...)
	}
	more, do := during(ctx, f)
	run := f.begin(ctx, slices.Concat(flags, more)...)
	do()
	return run
}

// resume kills the tool after a checkpoint, and has the next run go on from it.
func resume(ctx SpecContext, driver migration.Tool, mode migration.Mode, during meanwhile) {
	f := setUp(ctx, driver, mode, setup{})
	how := f.tool.Resume
	f.needs(ctx, how.Known)
	load := f.traffic(ctx, &traffic{})
	first := f.begin(ctx, how.First...)
	first.prints(ctx, how.Saved)
	first.stillCopies(ctx)
	kill(syscall.SIGKILL)(ctx, f, first)
	_, err := first.end(ctx)
	Expect(err).To(HaveOccurred())
	before, err := first.copied(ctx)
	suitekit.NoFault(err)
	result := f.beginDuring(ctx, during, how.Again).succeed(ctx)
	Expect(result.Output).To(ContainSubstring(how.Resumed))
	Expect(load.halt()).To(Succeed())
	suitekit.Detail("rows copied before the checkpoint's run was killed", "", float64(before))
	Expect(f.verify(ctx, changed, how.Left...)).To(Succeed())
}

// hookWrites is how many writes come while a hook runs: enough that some are of rows that the killed run had copied.
const hookWrites = 100

// slowHook has the tool's hook wait, after the tool has validated all and before it copies, until the writers have
// written. A run that resumes reads the binary log by then, from the checkpoint on.
func slowHook(ctx context.Context, f *fixture) (flags []string, do func()) {
	GinkgoHelper()
	hooks := suitekit.WorkDir("hooks")
	entered, leave := filepath.Join(hooks, "entered"), filepath.Join(hooks, "leave")
	suitekit.NoFault(syscall.Mkfifo(leave, 0o600)) // it is read until somebody has written
	script := "#!/bin/sh\n: > '" + entered + "'\n: < '" + leave + "'\n"
	suitekit.NoFault(os.WriteFile(filepath.Join(hooks, f.tool.Resume.Hook), []byte(script), 0o755))
	return []string{f.tool.Resume.HooksDir + hooks}, func() {
		GinkgoHelper()
		eventually(ctx, "the tool runs its hook", func(context.Context) (string, bool, error) {
			_, err := os.Stat(entered)
			return "", err == nil, err
		})
		f.writesBeyond(ctx, f.counts.total()+hookWrites)
		eventually(ctx, "the hook reads its pipe", func(context.Context) (string, bool, error) {
			file, err := os.OpenFile(leave, os.O_WRONLY|syscall.O_NONBLOCK, 0)
			if err != nil {
				return "", false, err // ENXIO: not yet
			}
			return "", true, file.Close()
		})
	}
}
