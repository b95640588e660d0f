// The whole public API.
#pragma once

#include <ckpt/async.hpp>
#include <ckpt/checkpoint.hpp>
#include <ckpt/containers.hpp>
#include <ckpt/dtype.hpp>
#include <ckpt/error.hpp>
#include <ckpt/garbage.hpp>
#include <ckpt/history.hpp>
#include <ckpt/limits.hpp>
#include <ckpt/log.hpp>
#include <ckpt/manager.hpp>
#include <ckpt/metadata.hpp>
#include <ckpt/object_graph.hpp>
#include <ckpt/reader.hpp>
#include <ckpt/restore.hpp>
#include <ckpt/retention.hpp>
#include <ckpt/session.hpp>
#include <ckpt/shape.hpp>
#include <ckpt/tensor.hpp>
#include <ckpt/trackable.hpp>
#include <ckpt/variable.hpp>
#include <ckpt/version.hpp>
#include <ckpt/watch.hpp>
#include <ckpt/weights.hpp>
#include <ckpt/writer.hpp>
