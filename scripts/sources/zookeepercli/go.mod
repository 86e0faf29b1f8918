module github.com/outbrain/zookeepercli

go 1.21
