package main

import (
	"github.com/spf13/cobra"

	"dcdentals.com/caseload/internal/caseload"
)

func bucketCreateCommand() *cobra.Command {
	return yesFlag(&cobra.Command{
		Use: "create", Short: "Make the bucket, private and safe, or bring one that is there to that", Args: cobra.NoArgs,
		Long: `Makes the bucket AWS_STORAGE_BUCKET_NAME, or looks at the one that is there, and sets: Block Public Access (all of
it), ownership enforced (no ACLs), default encryption (CASELOAD_BUCKET_KMS_KEY or the store's own key), versioning when
CASELOAD_BUCKET_VERSIONING is True, a policy that refuses requests without TLS, and the rule that throws incomplete
uploads away. What others have put into the policy and the lifecycle stays, and what is stricter is not weakened.

It shows what it would change, line by line, and asks; without a terminal it changes nothing unless --yes is given. Run
again, it changes nothing. It needs what "caseload bucket policy print --principal setup" prints. What a store does not
have is left out, and what to do there instead is said. Then: caseload bucket cors apply.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return setUpBucket(cmd, false, false, caseload.BucketPublicAccess, caseload.BucketOwnership, caseload.BucketEncryption,
				caseload.BucketVersioning, caseload.BucketPolicy, caseload.BucketLifecycle)
		},
	})
}
