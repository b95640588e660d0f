#include "program.hpp"

#include "fuzz.hpp"

#include <ckpt/ckpt.hpp>

#include <support/errors.hpp>
#include <support/sample.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace ckpt::fuzz {
namespace {

using test::error_of;

constexpr std::uint64_t kMostBytes = 256U << 10U;  // of a variable

class Object : public Trackable {
 public:
  using Trackable::track;
};

AnyVariable variable_like(const TensorInfo& info) {
  if (info.dtype == DType::string) return Variable<std::string>{"before"};
  if (info.dtype == DType::bytes) return Variable<Bytes>{Bytes(3)};
  return AnyVariable{info.dtype, info.shape};
}

class Program {
 public:
  explicit Program(const Reader& reader) : reader_{reader}, graph_{reader.graph()} {
    constexpr std::size_t kMost = 24;
    if (graph_.nodes.empty()) flat_graph(kMost);
    for (std::size_t i = 0; i < std::min(graph_.nodes.size(), kMost); ++i) {
      objects_.push_back(std::make_unique<Object>());
    }
  }

  Object& root() { return *objects_[0]; }

  /// Tracks every other child; the rest with the second call.
  void track(bool late) {
    for (std::size_t i = 0; i < objects_.size(); ++i) {
      bool turn = late;
      for (const ObjectGraph::Edge& edge : graph_.nodes[i].edges) {
        turn = !turn;
        if (turn) error_of([&] { track(*objects_[i], edge); });
      }
    }
  }

  void use() {
    [[maybe_unused]] volatile std::uint64_t sink = 0;
    for (auto& [node, variable] : variables_) {
      sink = sink + test::touch(variable.bytes());
      if (!variable.read_only() && !variable.bytes().empty()) variable.mutable_bytes().back() = std::byte{1};
    }
  }

 private:
  // What a file without a graph means, as far as names have no '/'.
  void flat_graph(std::size_t most) {
    graph_.nodes.resize(1);
    for (std::size_t i = 0; i < reader_.size() && graph_.nodes.size() < most; ++i) {
      error_of([&] {
        const std::string path{reader_.info(i).path};
        graph_.nodes[0].edges.push_back({path, static_cast<std::uint32_t>(graph_.nodes.size())});
        graph_.nodes.push_back({.tensor = path});
      });
    }
  }

  void track(Object& parent, const ObjectGraph::Edge& edge) {
    const ObjectGraph::Node& node = graph_.nodes.at(edge.node);
    if (node.tensor && node.edges.empty()) {
      parent.track(edge.name, variable(edge.node, *node.tensor));
    } else if (edge.node < objects_.size()) {
      parent.track(edge.name, *objects_[edge.node]);
    }
  }

  AnyVariable& variable(std::uint32_t node, std::string_view path) {
    const auto known = variables_.find(node);
    if (known != variables_.end()) return known->second;
    const auto index = reader_.find(path);
    if (!index) throw Error{ErrorCode::not_found, {.problem = "paths are not in order"}};
    const TensorInfo info = reader_.info(*index);
    if (info.size_bytes > kMostBytes) throw Error{ErrorCode::limit, {.problem = "too large for a fuzzer"}};
    return variables_[node] = variable_like(info);
  }

  Reader reader_;
  ObjectGraph graph_;
  std::vector<std::unique_ptr<Object>> objects_;
  std::map<std::uint32_t, AnyVariable> variables_;
};

RestoreOptions restore_options(unsigned choice) {
  constexpr Binding kBindings[] = {Binding::copy, Binding::view, Binding::copy_on_write};
  const ReaderOptions reader = reader_options(choice);
  RestoreOptions options{.binding = kBindings[choice / 4 % 3], .verify = reader.verify, .mode = reader.mode};
  if ((choice & 32U) != 0) options.on_mismatch = {{"**", OnMismatch::skip}};
  if ((choice & 64U) != 0) options.on_mismatch = {{"**", OnMismatch::cast}};
  if ((choice & 128U) != 0) options.renames = {{"model/**", "optimizer/**"}, {"a", "b/c"}, {"all/*", "all/f3*"}};
  return options;
}

}  // namespace

void restore_objects(const std::filesystem::path& file, unsigned choice) {
  const RestoreOptions options = restore_options(choice);
  std::optional<Program> program;
  error_of([&] { program.emplace(Reader::open(file)); });
  if (!program) return;
  program->track(false);
  Checkpoint checkpoint{program->root()};
  error_of([&] { checkpoint.plan(file, options).summary(); });
  error_of([&] {
    const RestoreStatus status = checkpoint.restore(file, options);
    program->track(true);
    error_of([&] { status.assert_consumed(); });
    error_of([&] { status.assert_existing_objects_matched(); });
    for (const auto& paths : {status.pending(), status.unmatched_in_file(), status.skipped()}) {
      static_cast<void>(paths);
    }
  });
  program->use();
}

}  // namespace ckpt::fuzz
