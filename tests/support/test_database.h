#ifndef POSTRIDER_TESTS_SUPPORT_TEST_DATABASE_H_
#define POSTRIDER_TESTS_SUPPORT_TEST_DATABASE_H_

#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/postgres/embedded/data_dir.h"
#include "storage/postgres/embedded/private_cluster.h"

struct pg_conn;

namespace postrider::testing {

// Rows of a result as PostgreSQL prints values; null is the empty string.
using Rows = std::vector<std::vector<std::string>>;

// One database, looked into by the tests over a connection of their own, which is made anew when it
// is broken. Not thread-safe.
class TestDatabase {
 public:
  explicit TestDatabase(std::string conninfo) : conninfo_(std::move(conninfo)) {}
  ~TestDatabase();

  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  const std::string& conninfo() const { return conninfo_; }

  // Runs one or several statements; the rows are those of the last one. A failure is a failure of
  // the running test and gives no rows.
  Rows Query(const std::string& sql);

  // The first value of the first row, "" when there is none.
  std::string Value(const std::string& sql);

  // A text of every row of every table, for the check that nothing changed or that nothing holds a
  // secret. Tables that nodes write on their own account (their heartbeats) are left out.
  std::string Dump() { return DumpBut("nodes"); }
  // The same without the records of calls, which refused calls leave too.
  std::string DumpWithoutAudit() { return DumpBut("nodes', 'audit_records"); }

 private:
  // `tables` are divided by "', '".
  std::string DumpBut(const char* tables);

  const std::string conninfo_;
  pg_conn* connection_ = nullptr;
};

// A private PostgreSQL for tests, in the scratch folder. It syncs nothing to the disk: the tests
// kill processes, not the machine.
class TestCluster {
 public:
  // The one of this test program, started on first use; the program ends if that fails.
  static TestCluster& OfProgram();

  struct Options {
    std::string folder;  // Where it lies; empty: a new folder of the scratch folder.
    std::vector<std::pair<std::string, std::string>> settings;  // Over those of a usual one.
  };
  static absl::StatusOr<std::unique_ptr<TestCluster>> Start(Options options = {});

  // A hot standby of this one, that follows it by streaming, and becomes a primary with
  // `SELECT pg_promote()`.
  absl::StatusOr<std::unique_ptr<TestCluster>> StartStandby();

  // Ends it.
  ~TestCluster();

  // A new and empty database.
  std::unique_ptr<TestDatabase> NewDatabase();

  // A new one that holds what `original` does. Nobody may be connected to that.
  std::unique_ptr<TestDatabase> CopyOf(const TestDatabase& original);

  // What PostgreSQL prints.
  std::string log_path() const;

  // A database that is here already, as of a standby those of its primary.
  std::unique_ptr<TestDatabase> Database(const std::string& name) const;

  // Ends it as a crash would, or in good order, until StartAgain. Databases keep their conninfo.
  void Kill();
  void Stop();
  absl::Status StartAgain();

  // Whether it runs.
  bool Alive() const { return cluster_->Alive(); }

 private:
  TestCluster(std::unique_ptr<embedded::DataDir> folder, Options options);

  static absl::StatusOr<std::unique_ptr<TestCluster>> Open(Options options);

  // `how`: the end of the statement that makes it.
  std::unique_ptr<TestDatabase> Make(absl::string_view how);

  const std::unique_ptr<embedded::DataDir> folder_;
  const Options options_;
  std::unique_ptr<embedded::PrivateCluster> cluster_;
  std::unordered_map<std::string, std::string> names_;  // of the databases, by conninfo
};

}  // namespace postrider::testing

#endif  // POSTRIDER_TESTS_SUPPORT_TEST_DATABASE_H_
