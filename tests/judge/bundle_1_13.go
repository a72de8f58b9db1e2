//go:build talos_1_13

package main

import (
	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/generate/secrets"
)

func validate(bundle *secrets.Bundle, _ *config.VersionContract) error {
	return bundle.Validate()
}
