/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The macros and inline functions of the kernel that Rust cannot call, as
 * functions. bindgen reads this header. What is an ordinary function in C is
 * called through the kernel crate's own bindings instead and is not here.
 */
#ifndef CHILDKERNEL_SHIM_H
#define CHILDKERNEL_SHIM_H

#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/jump_label.h>
#include <linux/local_lock.h>
#include <linux/mm_types.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/percpu-rwsem.h>
#include <linux/rculist.h>
#include <linux/semaphore.h>
#include <linux/seqlock.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

/* sync/completion.rs */
void childkernel_init_completion(struct completion *x, const char *name,
				 struct lock_class_key *key);
void childkernel_reinit_completion(struct completion *x);

/* sync/seqlock.rs */
void childkernel_seqlock_init(seqlock_t *sl, const char *name,
			      struct lock_class_key *lock_key,
			      struct lock_class_key *seq_key);
void childkernel_write_seqlock(seqlock_t *sl);
bool childkernel_write_tryseqlock(seqlock_t *sl);
void childkernel_write_sequnlock(seqlock_t *sl);
void childkernel_write_seqlock_bh(seqlock_t *sl);
bool childkernel_write_tryseqlock_bh(seqlock_t *sl);
void childkernel_write_sequnlock_bh(seqlock_t *sl);
void childkernel_write_seqlock_irq(seqlock_t *sl);
bool childkernel_write_tryseqlock_irq(seqlock_t *sl);
void childkernel_write_sequnlock_irq(seqlock_t *sl);
void childkernel_read_seqlock_excl(seqlock_t *sl);
void childkernel_read_sequnlock_excl(seqlock_t *sl);
void childkernel_read_seqlock_excl_bh(seqlock_t *sl);
void childkernel_read_sequnlock_excl_bh(seqlock_t *sl);
void childkernel_read_seqlock_excl_irq(seqlock_t *sl);
void childkernel_read_sequnlock_excl_irq(seqlock_t *sl);
unsigned int childkernel_read_seqbegin(const seqlock_t *sl);
bool childkernel_read_tryseqbegin(const seqlock_t *sl, unsigned int *seq);
bool childkernel_read_seqretry(const seqlock_t *sl, unsigned int seq);
#ifdef CONFIG_CHILDKERNEL_TWINS
void childkernel_seqlock_leave_odd(seqlock_t *sl);
#endif

/* sync/seqcount.rs: one set for each kind of lock that writers can hold */
void childkernel_seqcount_spinlock_init(seqcount_spinlock_t *s,
					spinlock_t *lock, const char *name,
					struct lock_class_key *key);
unsigned int childkernel_seqcount_spinlock_read_begin(const seqcount_spinlock_t *s);
bool childkernel_seqcount_spinlock_try_begin(const seqcount_spinlock_t *s,
					     unsigned int *seq);
bool childkernel_seqcount_spinlock_retry(const seqcount_spinlock_t *s,
					 unsigned int seq);
void childkernel_seqcount_spinlock_write_begin(seqcount_spinlock_t *s);
void childkernel_seqcount_spinlock_write_end(seqcount_spinlock_t *s);
void childkernel_seqcount_raw_spinlock_init(seqcount_raw_spinlock_t *s,
					    raw_spinlock_t *lock,
					    const char *name,
					    struct lock_class_key *key);
unsigned int childkernel_seqcount_raw_spinlock_read_begin(const seqcount_raw_spinlock_t *s);
bool childkernel_seqcount_raw_spinlock_try_begin(const seqcount_raw_spinlock_t *s,
						 unsigned int *seq);
bool childkernel_seqcount_raw_spinlock_retry(const seqcount_raw_spinlock_t *s,
					     unsigned int seq);
void childkernel_seqcount_raw_spinlock_write_begin(seqcount_raw_spinlock_t *s);
void childkernel_seqcount_raw_spinlock_write_end(seqcount_raw_spinlock_t *s);
void childkernel_seqcount_rwlock_init(seqcount_rwlock_t *s, rwlock_t *lock,
				      const char *name,
				      struct lock_class_key *key);
unsigned int childkernel_seqcount_rwlock_read_begin(const seqcount_rwlock_t *s);
bool childkernel_seqcount_rwlock_try_begin(const seqcount_rwlock_t *s,
					   unsigned int *seq);
bool childkernel_seqcount_rwlock_retry(const seqcount_rwlock_t *s,
				       unsigned int seq);
void childkernel_seqcount_rwlock_write_begin(seqcount_rwlock_t *s);
void childkernel_seqcount_rwlock_write_end(seqcount_rwlock_t *s);
void childkernel_seqcount_mutex_init(seqcount_mutex_t *s, struct mutex *lock,
				     const char *name,
				     struct lock_class_key *key);
unsigned int childkernel_seqcount_mutex_read_begin(const seqcount_mutex_t *s);
bool childkernel_seqcount_mutex_try_begin(const seqcount_mutex_t *s,
					  unsigned int *seq);
bool childkernel_seqcount_mutex_retry(const seqcount_mutex_t *s,
				      unsigned int seq);
void childkernel_seqcount_mutex_write_begin(seqcount_mutex_t *s);
void childkernel_seqcount_mutex_write_end(seqcount_mutex_t *s);

/* sync/preempt.rs */
void childkernel_preempt_disable(void);
void childkernel_preempt_enable(void);
void childkernel_bh_disable(void);
void childkernel_bh_enable(void);
bool childkernel_irqs_disabled(void);
bool childkernel_in_softirq_or_disabled(void);
bool childkernel_in_hardirq(void);
u32 childkernel_preempt_count(void);

/* sync/spinlock.rs */
void childkernel_spin_lock_bh(spinlock_t *lock);
bool childkernel_spin_trylock_bh(spinlock_t *lock);
void childkernel_spin_unlock_bh(spinlock_t *lock);
void childkernel_raw_spin_lock_init(raw_spinlock_t *lock, const char *name,
				    struct lock_class_key *key);
void childkernel_raw_spin_lock(raw_spinlock_t *lock);
bool childkernel_raw_spin_trylock(raw_spinlock_t *lock);
void childkernel_raw_spin_unlock(raw_spinlock_t *lock);
void childkernel_raw_spin_lock_irq_disable(raw_spinlock_t *lock);
bool childkernel_raw_spin_trylock_irq_disable(raw_spinlock_t *lock);
void childkernel_raw_spin_unlock_irq_enable(raw_spinlock_t *lock);
void childkernel_raw_spin_assert_held(raw_spinlock_t *lock);
void childkernel_spin_assert_held(spinlock_t *lock);

/* sync/rwlock.rs */
void childkernel_rwlock_init(rwlock_t *lock, const char *name,
			     struct lock_class_key *key);
void childkernel_read_lock(rwlock_t *lock);
bool childkernel_read_trylock(rwlock_t *lock);
void childkernel_read_unlock(rwlock_t *lock);
void childkernel_write_lock(rwlock_t *lock);
bool childkernel_write_trylock(rwlock_t *lock);
void childkernel_write_unlock(rwlock_t *lock);
void childkernel_read_lock_irq(rwlock_t *lock);
bool childkernel_read_trylock_irq(rwlock_t *lock);
void childkernel_read_unlock_irq(rwlock_t *lock);
void childkernel_write_lock_irq(rwlock_t *lock);
bool childkernel_write_trylock_irq(rwlock_t *lock);
void childkernel_write_unlock_irq(rwlock_t *lock);
void childkernel_read_lock_bh(rwlock_t *lock);
bool childkernel_read_trylock_bh(rwlock_t *lock);
void childkernel_read_unlock_bh(rwlock_t *lock);
void childkernel_write_lock_bh(rwlock_t *lock);
bool childkernel_write_trylock_bh(rwlock_t *lock);
void childkernel_write_unlock_bh(rwlock_t *lock);

/* sync/resilient.rs: the lock is one 32-bit word */
void childkernel_res_spin_lock_init(u32 *lock);
bool childkernel_res_spin_is_locked(const u32 *lock);
int childkernel_res_spin_lock(u32 *lock);
void childkernel_res_spin_unlock(u32 *lock);
int childkernel_res_spin_lock_irq(u32 *lock);
void childkernel_res_spin_unlock_irq(u32 *lock);

/* sync/mutex.rs */
int childkernel_mutex_lock_interruptible(struct mutex *lock);
int childkernel_mutex_lock_killable(struct mutex *lock);

/* sync/nested.rs */
void childkernel_mutex_lock_nested(struct mutex *lock);
void childkernel_spin_lock_nested(spinlock_t *lock);
void childkernel_raw_spin_lock_nested(raw_spinlock_t *lock);

/* sync/semaphore.rs */
void childkernel_sema_init(struct semaphore *sem, unsigned int count,
			   const char *name, struct lock_class_key *key);

/* sync/rwsem.rs */
void childkernel_percpu_down_read(struct percpu_rw_semaphore *sem);
bool childkernel_percpu_down_read_trylock(struct percpu_rw_semaphore *sem);
void childkernel_percpu_up_read(struct percpu_rw_semaphore *sem);

/* sync/rcu_list.rs */
void childkernel_init_list_head_rcu(struct list_head *head);
void childkernel_list_add_rcu(struct list_head *new, struct list_head *head);
void childkernel_list_add_tail_rcu(struct list_head *new, struct list_head *head);
void childkernel_list_del_rcu(struct list_head *entry);
void childkernel_list_replace_rcu(struct list_head *new, struct list_head *old);
struct list_head *childkernel_list_next_rcu(const struct list_head *entry);

/* sync/rcu_pointer.rs */
void *childkernel_rcu_dereference(void *const *p);

/* sync/rcu.rs */
struct childkernel_reclaim {
	struct rcu_work rwork;
	struct list_head node;
	u64 era;
	void (*func)(struct childkernel_reclaim *r);
};

int childkernel_reclaim_init(void);
void childkernel_reclaim_exit(void);
void childkernel_reclaim_flush(void);
void childkernel_reclaim_flush_module(const struct module *mod);
void childkernel_reclaim(struct childkernel_reclaim *r,
			 void (*func)(struct childkernel_reclaim *r));

/* sync/atomic.rs */
void childkernel_set_bit(unsigned long nr, unsigned long *addr);
void childkernel_clear_bit(unsigned long nr, unsigned long *addr);
void childkernel_change_bit(unsigned long nr, unsigned long *addr);
bool childkernel_test_and_set_bit(unsigned long nr, unsigned long *addr);
bool childkernel_test_and_clear_bit(unsigned long nr, unsigned long *addr);
bool childkernel_test_and_change_bit(unsigned long nr, unsigned long *addr);
bool childkernel_test_bit(unsigned long nr, const unsigned long *addr);
bool childkernel_test_bit_acquire(unsigned long nr, const unsigned long *addr);
bool childkernel_test_and_set_bit_lock(unsigned long nr, unsigned long *addr);
void childkernel_clear_bit_unlock(unsigned long nr, unsigned long *addr);
void childkernel___change_bit(unsigned long nr, unsigned long *addr);
bool childkernel___test_and_set_bit(unsigned long nr, unsigned long *addr);
bool childkernel___test_and_clear_bit(unsigned long nr, unsigned long *addr);
bool childkernel___test_and_change_bit(unsigned long nr, unsigned long *addr);

/* sync/barrier.rs */
void childkernel_smp_mb__before_atomic(void);
void childkernel_smp_mb__after_atomic(void);

/* sync/local_lock.rs: the locks are per-CPU addresses, but for init */
void childkernel_local_lock_init(local_lock_t *lock, const char *name,
				 struct lock_class_key *key);
void childkernel_local_lock(local_lock_t *lock);
bool childkernel_local_trylock(local_lock_t *lock);
void childkernel_local_unlock(local_lock_t *lock);
void childkernel_local_lock_bh(local_lock_t *lock);
bool childkernel_local_trylock_bh(local_lock_t *lock);
void childkernel_local_unlock_bh(local_lock_t *lock);
void childkernel_local_lock_irq(local_lock_t *lock);
bool childkernel_local_trylock_irq(local_lock_t *lock);
void childkernel_local_unlock_irq(local_lock_t *lock);
/* sync/wait.rs */
bool childkernel_fatal_signal_pending(void);

/* sync/percpu.rs */
void *childkernel_percpu_alloc(size_t size, size_t align);
void childkernel_percpu_free(void *p);
void *childkernel_this_cpu_ptr(void *p);
void *childkernel_per_cpu_ptr(void *p, unsigned int cpu);
bool childkernel_cpu_possible(unsigned int cpu);
void childkernel_percpu_add(u64 *p, u64 n);
u64 childkernel_percpu_add_return(u64 *p, u64 n);
u64 childkernel_percpu_sum(const u64 *p);

/* sync/registry.rs: what serialises the list of children */
struct mutex *childkernel_children_mutex(void);
/* of those that the control file has spawned */
struct mutex *childkernel_controlled_mutex(void);
/* of entry points */
struct mutex *childkernel_entries_mutex(void);
/* their directories in debugfs */
struct mutex *childkernel_child_directories_mutex(void);
/* the list of counted locks */
struct mutex *childkernel_locks_mutex(void);
/* and their directories */
struct mutex *childkernel_lock_directories_mutex(void);
/* and how much they count */
struct mutex *childkernel_stats_mode_mutex(void);
/* and who watches the children */
struct mutex *childkernel_watch_mutex(void);

/* stats/mode.rs, ffi/branch.rs */
struct childkernel_key {
	struct static_key_false key;
};

extern struct childkernel_key childkernel_counting;
extern struct childkernel_key childkernel_timing;
void childkernel_set_counting(bool on);
void childkernel_set_timing(bool on);

/* child/record.rs */
void childkernel_trace_child_state(u64 id, u32 generation, const char *name,
				   const char *from, const char *to, int error);
void childkernel_uevent(u64 id, u32 generation, const char *name,
			const char *state, const char *end, int code);

/* child.rs, child/thread.rs */
bool childkernel_owns(const struct module *owner, unsigned long addr);
bool childkernel_cpu_online(unsigned int cpu);
int childkernel_cpulist_parse(const char *buf, struct cpumask *mask);
void childkernel_cond_resched(void);

/* child/generation.rs: inline without MODULE_UNLOAD */
bool childkernel_try_module_get(struct module *mod);
void childkernel_module_put(struct module *mod);

/* child/thread.rs */
void childkernel_thread_interrupt(struct task_struct *task);
bool childkernel_thread_has_exited(struct task_struct *task);
int childkernel_thread_schedule(struct task_struct *task, u32 policy,
				u32 priority, s32 nice);

/* child/arena.rs */
void childkernel_hlist_add_head(struct hlist_node *node, struct hlist_head *head);
void childkernel_hlist_del(struct hlist_node *node);

#ifdef CONFIG_CHILDKERNEL_FAULTS
/* child/fault.rs */
void childkernel_fault_null(void);
#endif
/* child/region.rs */
void *childkernel_region_map(struct page **pages, unsigned int count,
			     bool read_only);
void childkernel_region_unmap(const void *addr);
void childkernel_region_keep(const void *mapping);
bool childkernel_region_ro_is_enforced(void);

/* ffi/ */
void childkernel_ndelay(unsigned long ns);
const char *childkernel_uts_release(void);
const char *childkernel_module_name(const struct module *mod);
const char *childkernel_param_cpus(void);
const char *childkernel_param_workload(void);
const char *childkernel_param_primitive(void);
const char *childkernel_param_granularity(void);
const char *childkernel_param_stats(void);
const char *childkernel_param_twin(void);

#ifdef CONFIG_CHILDKERNEL_BENCH
#include "bench/bench.h"
#endif

#ifdef CONFIG_CHILDKERNEL_TORTURE
#include "torture/torture.h"
#endif

#endif
