package conf

import (
	"runtime/debug"
	"testing"
)

func TestVersion(t *testing.T) {
	vcs := func(commit, modified string) []debug.BuildSetting {
		return []debug.BuildSetting{{Key: "vcs.revision", Value: commit}, {Key: "vcs.modified", Value: modified}}
	}
	const commit = "96a8f4f0123456789abcdef0123456789abcdef0"
	for _, tt := range []struct {
		info debug.BuildInfo
		want string
	}{
		{debug.BuildInfo{}, "(devel)"},
		{debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}, "v1.2.3"},
		{debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: vcs(commit, "false")}, "(devel) 96a8f4f01234"},
		{debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: vcs(commit, "true")}, "(devel) 96a8f4f01234+dirty"},
		{debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: vcs(commit, "false")}, "v1.2.3 96a8f4f01234"},
		{debug.BuildInfo{Main: debug.Module{Version: "v0.0.0-20261122053346-96a8f4f01234+dirty"}, Settings: vcs(commit, "true")}, "v0.0.0-20261122053346-96a8f4f01234+dirty"},
		{debug.BuildInfo{Settings: vcs("96a8", "false")}, "(devel) 96a8"},
	} {
		if got := version(&tt.info); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
	if Version() == "" {
		t.Error("no version")
	}
}
