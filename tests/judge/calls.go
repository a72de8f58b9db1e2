package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/client"
	clientconfig "github.com/siderolabs/talos/pkg/machinery/client/config"
	"go.yaml.in/yaml/v4"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// call is one call of Talos' API: with a talosconfig, or without credentials as in maintenance.
type call struct {
	Method      string `json:"method"`
	Address     string `json:"address"`
	Talosconfig string `json:"talosconfig"`
	Namespace   string `json:"namespace"`
	Type        string `json:"type"`
	ID          string `json:"id"`
	Member      uint64 `json:"member"`
	DryRun      bool   `json:"dry_run"`
}

var methods = map[string]func(context.Context, *client.Client, request) (answer, error){
	"version": func(ctx context.Context, api *client.Client, _ request) (answer, error) {
		return message(api.Version(ctx))
	},
	"services": func(ctx context.Context, api *client.Client, _ request) (answer, error) {
		return message(api.ServiceList(ctx))
	},
	"disks": func(ctx context.Context, api *client.Client, _ request) (answer, error) {
		return message(api.Disks(ctx))
	},
	"time": func(ctx context.Context, api *client.Client, _ request) (answer, error) {
		return message(api.Time(ctx))
	},
	"members": func(ctx context.Context, api *client.Client, _ request) (answer, error) {
		return message(api.EtcdMemberList(ctx, &machine.EtcdMemberListRequest{}))
	},
	"etcd": func(ctx context.Context, api *client.Client, _ request) (answer, error) {
		return message(api.EtcdStatus(ctx))
	},
	"remove member": func(ctx context.Context, api *client.Client, asked request) (answer, error) {
		removal := &machine.EtcdRemoveMemberByIDRequest{MemberId: asked.Member}

		return answer{}, api.EtcdRemoveMemberByID(ctx, removal)
	},
	"leave": func(ctx context.Context, api *client.Client, _ request) (answer, error) {
		return answer{}, api.EtcdLeaveCluster(ctx, &machine.EtcdLeaveClusterRequest{})
	},
	"bootstrap": func(ctx context.Context, api *client.Client, _ request) (answer, error) {
		return answer{}, api.Bootstrap(ctx, &machine.BootstrapRequest{})
	},
	"reset": func(ctx context.Context, api *client.Client, _ request) (answer, error) {
		return answer{}, api.ResetGeneric(ctx, &machine.ResetRequest{
			Graceful: true, Reboot: true, Mode: machine.ResetRequest_SYSTEM_DISK,
		})
	},
	"reboot": func(ctx context.Context, api *client.Client, _ request) (answer, error) {
		return answer{}, api.Reboot(ctx)
	},
	"apply":    apply,
	"get":      get,
	"list":     list,
	"snapshot": snapshot,
}

// called makes one call by Talos' own client.
func called(ctx context.Context, asked request) (answer, error) {
	method, ok := methods[asked.Method]
	if !ok {
		return nil, fmt.Errorf("no method %q", asked.Method)
	}

	api, err := connect(ctx, asked)
	if err != nil {
		return nil, err
	}

	said, err := method(ctx, api, asked)

	return said, errors.Join(err, api.Close())
}

func connect(ctx context.Context, asked request) (*client.Client, error) {
	if asked.Talosconfig == "" {
		return client.New(ctx, client.WithEndpoints(asked.Address), client.WithTLSConfig(anyCertificate()))
	}

	talosconfig, err := clientconfig.FromString(asked.Talosconfig)
	if err != nil {
		return nil, err
	}

	return client.New(ctx, client.WithEndpoints(asked.Address), client.WithConfig(talosconfig))
}

// anyCertificate is what talosctl --insecure takes, but that it wants the certificate of maintenance.
func anyCertificate() *tls.Config {
	return &tls.Config{
		InsecureSkipVerify: true,
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			leaf, err := x509.ParseCertificate(raw[0])
			if err == nil && leaf.Subject.CommonName != "maintenance-service.talos.dev" {
				err = fmt.Errorf("the certificate is of %q", leaf.Subject.CommonName)
			}

			return err
		},
	}
}

func message(said proto.Message, err error) (answer, error) {
	if err != nil {
		return nil, err
	}

	text, err := protojson.Marshal(said)

	return answer{"message": string(text)}, err
}

func apply(ctx context.Context, api *client.Client, asked request) (answer, error) {
	return message(api.ApplyConfiguration(ctx, &machine.ApplyConfigurationRequest{
		Data: []byte(asked.Config), Mode: machine.ApplyConfigurationRequest_NO_REBOOT, DryRun: asked.DryRun,
	}))
}

func get(ctx context.Context, api *client.Client, asked request) (answer, error) {
	found, err := api.COSI.Get(
		ctx, resource.NewMetadata(asked.Namespace, asked.Type, asked.ID, resource.VersionUndefined),
		state.WithGetUnmarshalOptions(state.WithSkipProtobufUnmarshal()),
	)
	if err != nil {
		return nil, err
	}

	return described(found)
}

func list(ctx context.Context, api *client.Client, asked request) (answer, error) {
	found, err := api.COSI.List(
		ctx, resource.NewMetadata(asked.Namespace, asked.Type, "", resource.VersionUndefined),
		state.WithListUnmarshalOptions(state.WithSkipProtobufUnmarshal()),
	)
	if err != nil {
		return nil, err
	}

	items := []answer{}

	for _, item := range found.Items {
		told, err := described(item)
		if err != nil {
			return nil, err
		}

		items = append(items, told)
	}

	return answer{"items": items}, nil
}

func described(found resource.Resource) (answer, error) {
	spec, err := yaml.Marshal(found.Spec())

	return answer{"id": found.Metadata().ID(), "version": found.Metadata().Version().String(), "spec": string(spec)}, err
}

func snapshot(ctx context.Context, api *client.Client, _ request) (answer, error) {
	stream, err := api.EtcdSnapshot(ctx, &machine.EtcdSnapshotRequest{})
	if err != nil {
		return nil, err
	}

	var database bytes.Buffer

	_, err = io.Copy(&database, stream)

	return answer{"database": database.Bytes()}, errors.Join(err, stream.Close())
}
