// What a restore will do to live objects, worked out before anything is changed.
#pragma once

#include "graph/node.hpp"
#include "graph/restoration.hpp"
#include "graph/restored_value.hpp"

#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace ckpt::graph {

/// match() any number of times, then prepare(), then apply(). Until apply() nothing that exists is changed.
class Plan {
 public:
  /// A live node, and the file node that it stands for.
  struct Match {
    std::shared_ptr<Restoration> restoration;
    FileNode file_node;
    std::shared_ptr<Node> node;
    std::string path;  // of the live node, where the rules need it
    std::shared_ptr<Node> parent;
    bool asked = false;  // by match()
  };

  /// Binds a file node to a live node, and what is under the one to what is under the other. `parent` is whom apply()
  /// tells when the live node itself is a variable and gets a value. Of several restorations,
  /// the one to win (the latest) must come first.
  void match(const std::shared_ptr<Restoration>& restoration, FileNode file_node, const std::shared_ptr<Node>& node,
             std::string path = {}, const std::shared_ptr<Node>& parent = nullptr);

  /// Checks dtypes and shapes, reads (or maps) the values and checks their sums, with all cores and as far as the
  /// restoration wants that first. Takes all memory that the rest needs. Throws mismatch, corrupt, io.
  void prepare();

  /// Changes the variables. What is below the nodes of match() is taken then. Throws corrupt, io, limit when values
  /// that prepare() has not checked are damaged, or a mapped file has changed since it did: variables that exist may
  /// then hold a part of it, and nothing else is changed.
  void apply();

  /// Lets all objects that have new values know; of what Trackable::after_restore throws, the first comes through. If
  /// nothing is thrown, the file nodes of match() are taken; else they and all below may be matched again.
  void tell();

  /// A variable that is to get a value, and how that fits.
  struct Assignment {
    Match match;
    std::shared_ptr<VariableNode> variable;
    Fit fit;
    NewValue value;
  };
  /// After match().
  const std::vector<Match>& matches() const noexcept { return matches_; }
  const std::vector<Assignment>& assignments() const noexcept { return assignments_; }

 private:
  void step(const Match& match);
  void bind(Match& match) noexcept;
  void assign_later(const Match& match);
  void descend(const Match& match);
  void descend_by_rules(const Match& match);
  void connect_slots(const Match& match);
  std::shared_ptr<Node> live(const Restoration& restoration, std::uint32_t file_node) const;
  std::string path_of(const Restoration& restoration, std::uint32_t file_node) const;
  void bind_values();
  void bind_checked(Restoration& restoration, const std::vector<Assignment*>& assignments);
  void bind_straight(Restoration& restoration, const std::vector<Assignment*>& assignments);
  void find_parents();
  void prepare_to_wait();
  void wait_for_the_rest() noexcept;
  void give_back() noexcept;

  std::vector<Match> asked_;
  std::deque<Match> todo_;
  std::vector<Match> matches_;
  std::vector<Assignment> assignments_;
  struct Place {
    std::shared_ptr<Node> node;
    std::string path;
  };
  std::unordered_map<const Restoration*, std::unordered_map<std::uint32_t, Place>> planned_;
  std::unordered_map<const VariableNode*, std::uint64_t> planned_uid_;

  // What apply() copies, links and tells.
  std::vector<StraightReads> straight_reads_;
  std::vector<Copy> copies_;
  struct Wait {
    Node* node;
    std::list<Pending> entry;  // one, to be moved
  };
  std::vector<Wait> waits_;
  std::vector<std::shared_ptr<Node>> parents_;
};

}  // namespace ckpt::graph
