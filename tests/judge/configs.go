package main

import (
	"context"

	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/config/configpatcher"
	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"github.com/siderolabs/talos/pkg/machinery/gendata"
)

// metal is the mode of a machine that Talos is installed on.
type metal struct{}

func (metal) String() string        { return "metal" }
func (metal) RequiresInstall() bool { return true }
func (metal) InContainer() bool     { return false }

// library tells which version of Talos' library this is.
func library(context.Context, request) (answer, error) {
	return answer{"version": gendata.VersionTag}, nil
}

// load parses a machine configuration and validates it.
func load(_ context.Context, asked request) (answer, error) {
	loaded, err := configloader.NewFromBytes([]byte(asked.Config))
	if err != nil {
		return nil, err
	}

	warnings, err := loaded.Validate(metal{})
	if err != nil {
		return nil, err
	}

	return answer{"warnings": warnings, "complete": loaded.CompleteForBoot()}, nil
}

// patch applies patches one after the other.
func patch(_ context.Context, asked request) (answer, error) {
	patched := configpatcher.WithBytes([]byte(asked.Config))

	for _, text := range asked.Patches {
		read, err := configpatcher.LoadPatch([]byte(text))
		if err != nil {
			return nil, err
		}

		patched, err = configpatcher.Apply(patched, []configpatcher.Patch{read})
		if err != nil {
			return nil, err
		}
	}

	provider, err := patched.Config()
	if err != nil {
		return nil, err
	}

	text, err := provider.EncodeBytes(encoder.WithComments(encoder.CommentsDisabled))
	if err != nil {
		return nil, err
	}

	return answer{"config": string(text)}, nil
}
