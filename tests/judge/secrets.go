package main

import (
	"context"

	"go.yaml.in/yaml/v4"

	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"github.com/siderolabs/talos/pkg/machinery/config/generate"
	"github.com/siderolabs/talos/pkg/machinery/config/generate/secrets"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"
)

// generation is what a cluster's configurations are made of, besides its secrets.
type generation struct {
	Cluster    string `json:"cluster"`
	Endpoint   string `json:"endpoint"`
	Kubernetes string `json:"kubernetes"`
}

func bundleOf(text string) (*secrets.Bundle, error) {
	bundle := &secrets.Bundle{Clock: secrets.NewClock()}

	return bundle, yaml.Unmarshal([]byte(text), bundle)
}

// checkSecrets validates a secrets bundle.
func checkSecrets(_ context.Context, asked request) (answer, error) {
	contract, err := config.ParseContractFromVersion(asked.Contract)
	if err != nil {
		return nil, err
	}

	bundle, err := bundleOf(asked.Secrets)
	if err != nil {
		return nil, err
	}

	return answer{}, validate(bundle, contract)
}

// generated makes what `talosctl gen config` makes from these secrets, and a talosconfig.
func generated(_ context.Context, asked request) (answer, error) {
	contract, err := config.ParseContractFromVersion(asked.Contract)
	if err != nil {
		return nil, err
	}

	bundle, err := bundleOf(asked.Secrets)
	if err != nil {
		return nil, err
	}

	input, err := generate.NewInput(
		asked.Cluster, asked.Endpoint, asked.Kubernetes,
		generate.WithSecretsBundle(bundle), generate.WithVersionContract(contract),
	)
	if err != nil {
		return nil, err
	}

	texts := answer{}

	for _, role := range []machine.Type{machine.TypeControlPlane, machine.TypeWorker} {
		made, err := input.Config(role)
		if err != nil {
			return nil, err
		}

		text, err := made.EncodeBytes(encoder.WithComments(encoder.CommentsDisabled))
		if err != nil {
			return nil, err
		}

		texts[role.String()] = string(text)
	}

	talosconfig, err := input.Talosconfig()
	if err != nil {
		return nil, err
	}

	text, err := talosconfig.Bytes()
	texts["talosconfig"] = string(text)

	return texts, err
}
