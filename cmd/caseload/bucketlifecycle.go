package main

import (
	"github.com/spf13/cobra"

	"dcdentals.com/caseload/internal/caseload"
)

func lifecycleApplyCommand() *cobra.Command {
	return yesFlag(&cobra.Command{
		Use: "apply", Short: "Give the bucket the lifecycle rule that lifecycle print shows", Args: cobra.NoArgs,
		Long: `Adds the rule that lifecycle print shows to the bucket's lifecycle, or mends it, after showing what changes and asking.
Other rules stay; one that would let case files expire, or end uploads too early, is named.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return setUpBucket(cmd, false, true, caseload.BucketLifecycle)
		},
	})
}

func lifecyclePrintCommand() *cobra.Command {
	return &cobra.Command{
		Use: "print", Short: "Print the lifecycle rule that throws incomplete uploads away", Args: cobra.NoArgs,
		Long: `Prints the lifecycle configuration for "aws s3api put-bucket-lifecycle-configuration --lifecycle-configuration
file://lifecycle.json": incomplete multipart uploads are thrown away after 30 days, later when CASELOAD_ABANDON_AFTER
asks for it. No file ever expires. Neither the store nor credentials are needed.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, b, err := loadBucket(cmd, false, false)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(b.Lifecycle())
			return err
		},
	}
}
