// One call to restore: the file, and what of it has reached live objects so far.
#pragma once

#include "graph/file_graph.hpp"
#include "graph/node.hpp"
#include "graph/restore_rules.hpp"

#include <ckpt/reader.hpp>
#include <ckpt/restore.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace ckpt::graph {

/// Shared by the status and by the nodes that wait for values; refers to live nodes weakly, so there are no cycles. A
/// file node binds to at most one live object (the first that is found there); several file nodes may bind to one live
/// object.
class Restoration : public std::enable_shared_from_this<Restoration> {
 public:
  /// A restoration with its file, which is let go of with the last copy of this pointer. Plans, and nodes that wait,
  /// hold copies; a status holds shared_from_this(), which does not keep the file. Throws not_found when the file has
  /// no object at RestoreOptions::root, invalid_argument for bad patterns, corrupt.
  static std::shared_ptr<Restoration> open(const Reader& reader, const RestoreOptions& options,
                                           const std::shared_ptr<Node>& root);
  /// Warns when values were never used.
  ~Restoration();
  Restoration(const Restoration&) = delete;
  Restoration& operator=(const Restoration&) = delete;

  /// Increases from restore to restore in this process.
  std::uint64_t uid() const noexcept { return uid_; }
  /// Of the file, which may be gone by now.
  const std::filesystem::path& path() const noexcept { return path_; }
  /// For who holds the pointer of open(), or knows that something waits.
  const Reader& reader() const { return reader_.value(); }
  const RestoreOptions& options() const noexcept { return options_; }
  const RestoreRules& rules() const noexcept { return rules_; }
  const FileGraph& file() const noexcept { return file_; }

  /// The file node that stands for the root of the checkpoint.
  std::uint32_t base() const noexcept { return base_; }

  /// Where in the file the child `name` of a live node is found, when the node stands for `file_node` and, where the
  /// rules need paths, the child has `path`.
  FileNode child(FileNode file_node, std::string_view name, std::string_view path) const;

  /// The path of the value that the file has at a path of the program, where another object took it.
  std::optional<std::string> taken_as(std::string_view path) const;

  /// Renames that name no object which the program has now, or lead to nothing in the file.
  std::vector<Rename> idle_renames() const;

  /// The live node that a file node is bound to, or nullptr.
  std::shared_ptr<Node> live(std::uint32_t file_node) const { return live_[file_node].lock(); }
  /// The file nodes that `node` is bound to.
  std::vector<std::uint32_t> file_nodes(const std::shared_ptr<Node>& node) const;
  /// To be called for a node before it is bound, or waits; takes the memory for that.
  void know(const std::shared_ptr<Node>& node);
  /// `path` is that of the live node, where the rules need it.
  void bind(std::uint32_t file_node, const std::shared_ptr<Node>& node, std::string&& path) noexcept;

  /// The path that a file node was bound with.
  std::string path_of(std::uint32_t file_node) const;

  /// Notes that a file node is given to an object: it does not wait any more, not even when that object is gone.
  void take(std::uint32_t file_node) noexcept { set_taken(file_node, true); }
  void give_back(std::uint32_t file_node) noexcept { set_taken(file_node, false); }
  bool taken(std::uint32_t file_node) const { return taken_[file_node]; }

  /// Whether the node's value was taken, even if the object is gone by now.
  bool matched(std::uint32_t file_node) const { return matched_[file_node]; }

  /// Notes that a part of the private mapping becomes the memory of a variable. False when some of it is another's.
  bool claim(std::uint64_t offset, std::uint64_t size);

  /// Notes that a value is not given to the variable that it was found for.
  void skip(std::uint32_t file_node) noexcept { skipped_[file_node] = true; }

  /// Whether the part of the file that is restored has values that nobody took.
  bool any_unmatched() const noexcept { return unmatched_ > 0; }

  /// By file node: whether it has a value that an object may still get.
  std::vector<bool> wanted() const;

  /// The live nodes that wait for something of this file, each once.
  std::vector<std::shared_ptr<Node>> waiting_nodes() const;

  /// From here on, unused values are worth a warning.
  void arm() noexcept { armed_ = true; }
  void expect_partial() noexcept { expect_partial_ = true; }
  bool expects_partial() const noexcept { return expect_partial_; }

  std::vector<std::string> unmatched_in_file() const;
  std::vector<std::string> unmatched_in_program() const;
  /// Takes no time when all values are taken: every save asks.
  std::vector<std::string> pending() const;
  std::vector<std::string> skipped() const;
  /// Paths of values that no object alive holds.
  std::vector<std::string> not_alive() const;
  /// Whether something besides the root and its save counter is bound.
  bool nontrivial() const;

 private:
  Restoration(const Reader& reader, const RestoreOptions& options, const std::shared_ptr<Node>& root);
  void find_scope();
  bool is_value(std::uint32_t file_node) const { return in_scope_[file_node] && file_.tensor(file_node) != nullptr; }
  void set_taken(std::uint32_t file_node, bool taken) noexcept;
  void warn_unused() const;
  /// By file node: whether an object that waits leads there.
  std::vector<bool> waiting() const;
  template <typename Predicate>
  std::vector<std::string> values_if(Predicate&& predicate) const;

  std::uint64_t uid_;
  std::filesystem::path path_;
  std::optional<Reader> reader_;
  RestoreOptions options_;
  RestoreRules rules_;
  FileGraph file_;
  std::uint32_t base_ = 0;
  std::weak_ptr<Node> root_;
  std::vector<bool> in_scope_;             // by file node: whether this restore is about it
  std::vector<std::weak_ptr<Node>> live_;  // by file node
  std::vector<bool> taken_;                // by file node
  std::vector<bool> matched_;              // by file node
  std::vector<bool> skipped_;              // by file node
  std::size_t unmatched_ = 0;              // values in scope that no variable was found for
  std::size_t untaken_ = 0;                // values in scope that are not given to an object
  /// By address, at which another node may have come to lie when the first is gone.
  struct Known {
    std::weak_ptr<Node> node;
    FileNode last;  // that it was bound to
  };
  std::unordered_map<const Node*, Known> known_;
  std::vector<FileNode> before_;                    // by file node: that the same node was bound to before
  std::vector<std::string> paths_;                  // by file node, where the rules need them
  std::map<std::uint64_t, std::uint64_t> claimed_;  // ends by offsets
  bool armed_ = false;
  bool expect_partial_ = false;
};

/// Whether a restoration has something left for the node that waits; moves the cursors.
bool still_pending(Pending& pending);

}  // namespace ckpt::graph
