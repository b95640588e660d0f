// One call to restore: the file, and what of it has reached live objects so far.
#pragma once

#include "graph/file_graph.hpp"
#include "graph/node.hpp"

#include <ckpt/reader.hpp>
#include <ckpt/restore.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace ckpt::graph {

/// Shared by the status and by the nodes that wait for values; refers to live nodes weakly, so there are no cycles. A
/// file node binds to at most one live object (the first that is found there); several file nodes may bind to one live
/// object.
class Restoration {
 public:
  Restoration(const Reader& reader, const RestoreOptions& options, const std::shared_ptr<Node>& root);
  /// Warns when values were never used.
  ~Restoration();
  Restoration(const Restoration&) = delete;
  Restoration& operator=(const Restoration&) = delete;

  /// Increases from restore to restore in this process.
  std::uint64_t uid() const noexcept { return uid_; }
  const Reader& reader() const noexcept { return reader_; }
  const RestoreOptions& options() const noexcept { return options_; }
  const FileGraph& file() const noexcept { return file_; }

  /// The live node that a file node is bound to, or nullptr.
  std::shared_ptr<Node> live(std::uint32_t file_node) const { return live_[file_node].lock(); }
  /// The file nodes that `node` is bound to.
  std::vector<std::uint32_t> file_nodes(const std::shared_ptr<Node>& node) const;
  void bind(std::uint32_t file_node, const std::shared_ptr<Node>& node);

  /// Whether the node's value was taken, even if the object is gone by now.
  bool matched(std::uint32_t file_node) const { return matched_[file_node]; }

  /// From here on, unused values are worth a warning.
  void arm() noexcept { armed_ = true; }
  void expect_partial() noexcept { expect_partial_ = true; }
  bool expects_partial() const noexcept { return expect_partial_; }

  std::vector<std::string> unmatched_in_file() const;
  std::vector<std::string> unmatched_in_program() const;
  std::vector<std::string> pending() const;
  /// Paths of values that no object alive holds.
  std::vector<std::string> not_alive() const;
  /// Whether something besides the root and its save counter is bound.
  bool nontrivial() const;

 private:
  void warn_unused() const;

  std::uint64_t uid_;
  Reader reader_;
  RestoreOptions options_;
  FileGraph file_;
  std::weak_ptr<Node> root_;
  std::vector<std::weak_ptr<Node>> live_;  // by file node
  std::vector<bool> matched_;              // by file node
  std::unordered_map<const Node*, std::vector<std::uint32_t>> bound_;
  bool armed_ = false;
  bool expect_partial_ = false;
};

/// Whether a restoration has something left for `node`; moves the cursors.
bool still_pending(const Node& node, Pending& pending);

}  // namespace ckpt::graph
